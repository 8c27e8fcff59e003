"""Every random number of a run is derived from (seed, purpose, where): nothing depends on what was drawn before.

So a resumed run, another number of workers or an extra evaluation changes no draw.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MASK = (1 << 64) - 1


def name_key(name: str) -> int:
    """A 64-bit number for a name, the same on every machine and in every process."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def generator(seed: int, purpose: str, *place: int) -> np.random.Generator:
    """A NumPy generator of its own for one purpose ("order", "initial", …) at one place (epoch, sample, …).

    Example:
        >>> bool(generator(0, "order", 3).integers(100) == generator(0, "order", 3).integers(100))
        True
    """
    import numpy as np

    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, name_key(purpose), *place])))


def mix(*numbers: int) -> int:
    """Hash some 64-bit numbers into one (SplitMix64's finaliser after each).

    Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014.
    """
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = (state ^ number) * 0xBF58476D1CE4E5B9 & MASK
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & MASK
        state ^= state >> 31
    return state
