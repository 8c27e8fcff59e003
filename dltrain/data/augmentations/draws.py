"""Random numbers of many samples at once, each sample's from a key of its own."""

from __future__ import annotations

import numpy as np

from dltrain.data.examples import Array
from dltrain.seeds import mix, name_key

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Draws:
    """A stream for each sample: what one draws depends on nothing but its key and how often was drawn.

    Parameters:
        keys: (N,) uint64

    Example:
        >>> several, one = Draws.at(0, "augment", 3, np.arange(4)), Draws.at(0, "augment", 3, np.array([2]))
        >>> bool(several.uniform()[2] == one.uniform()[0])
        True

    Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014.
    """

    def __init__(self, keys: Array) -> None:
        self.keys, self._count = keys, 0

    @staticmethod
    def at(seed: int, purpose: str, epoch: int, places: Array) -> Draws:
        """The streams of some places in an epoch."""
        start = np.uint64(mix(seed, name_key(purpose), epoch))
        return Draws(scrambled(scrambled(places.astype(np.uint64) * GOLDEN + start)))

    def __len__(self) -> int:
        return len(self.keys)

    def branch(self, number: int) -> Draws:
        """Streams of their own for one of several uses."""
        return Draws(scrambled(self.keys ^ np.uint64(mix(number))))

    def bits(self) -> Array:
        """(N,) 64 random bits."""
        self._count += 1
        return scrambled(self.keys + np.uint64(self._count * int(GOLDEN) & (2**64 - 1)))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Array:
        """(N,) numbers from low to high, without high."""
        return low + (high - low) * ((self.bits() >> np.uint64(11)) * 2.0**-53)

    def normal(self) -> Array:
        """(N,) numbers of mean 0 and variance 1."""
        return np.sqrt(-2 * np.log1p(-self.uniform())) * np.cos(2 * np.pi * self.uniform())

    def chance(self, probability: float) -> Array:
        """(N,) whether something happens."""
        return self.uniform() < probability


def scrambled(z: Array) -> Array:
    """SplitMix64's finaliser: every bit depends on all bits."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
