"""How dropout's draws come from a key: the part that all implementations share."""

from __future__ import annotations

MASK64 = (1 << 64) - 1


def halves(key: int) -> tuple[int, int]:
    """The key after one splitmix64 step, as two 32-bit halves: neighbouring keys give unrelated draws."""
    z = (int(key) + 0x9E3779B97F4A7C15) & MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    z ^= z >> 31
    return z & 0xFFFFFFFF, z >> 32


def threshold(rate: float) -> int:
    """The draws below this number, of 2³², are dropped."""
    return min(round(rate * 2**32), 2**32 - 1)
