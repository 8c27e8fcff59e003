"""Augmentations: training pictures as they might have been taken too.

Geometric ones are matrices, which are multiplied, so that a picture is interpolated once; the others change its
pixels; those that mix take a second picture and its target along.  What each draws follows from the seed, the epoch and
the place in the epoch, never from the batch.
"""

from dltrain.data.augmentations import colours, geometric, mixing, pixels
from dltrain.data.augmentations.augmenter import Augmenter

__all__ = ["Augmenter", "colours", "geometric", "mixing", "pixels"]
