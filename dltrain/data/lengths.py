"""Batches by length: texts of about the same length together, and padding cut to the longest of a batch."""

from __future__ import annotations

import numpy as np

from dltrain.data.examples import Array

POOL = 50  # batches among which texts are sorted by length; all of these are drawn at random
STEP = 8  # lengths are rounded up to a multiple, so that few plans of memory serve all batches


def lengths_of(tokens: Array, targets: Array, padding: int = 0) -> Array:
    """Steps of each text up to the last that is no padding, or whose target counts; (N,) from 1 on.

    Parameters:
        tokens: (N, T)
        targets: (N, T) with -1 where nothing is to be learned, or something else
        padding: the token that fills up

    Example:
        >>> lengths_of(np.array([[5, 6, 0], [0, 0, 0]]), np.array([1, 0])).tolist()
        [2, 1]
    """
    there = tokens != padding
    if targets.shape == tokens.shape and targets.dtype.kind == "i":
        there = there | (targets >= 0)
    steps = tokens.shape[1] - there[:, ::-1].argmax(1)
    found: Array = np.where(there.any(1), steps, 1)
    return found


def grouped(order: Array, lengths: Array, size: int, draw: np.random.Generator) -> Array:
    """A random order in which texts of about the same length make a batch; the last, smaller batch is mixed.

    Parameters:
        order: (n,) positions, at random
        lengths: (N,) of all texts
        size: of a batch
        draw: shuffles the batches

    Example:
        >>> found = grouped(np.array([0, 3, 1, 2, 4]), np.array([9, 1, 1, 9, 5]), 2, np.random.default_rng(0))
        >>> sorted(map(sorted, found[:4].reshape(2, 2).tolist())), found[4:].tolist()
        ([[0, 3], [1, 2]], [4])
    """
    full = len(order) // size * size
    pools = [order[start : min(start + POOL * size, full)] for start in range(0, full, POOL * size)]
    ordered = [pool[np.argsort(lengths[pool], kind="stable")].reshape(-1, size) for pool in pools]
    batches = np.concatenate([np.empty((0, size), np.int64), *ordered])
    return np.concatenate([batches[draw.permutation(len(batches))].reshape(-1), order[full:]])


def steps_of(lengths: Array, most: int) -> int:
    """Steps of a batch of texts, a few more than the longest at times.

    Example:
        >>> steps_of(np.array([3, 9]), 100), steps_of(np.array([9]), 10)
        (16, 10)
    """
    return min(-(-int(lengths.max()) // STEP) * STEP, most)
