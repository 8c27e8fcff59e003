"""How much memory this machine has, and how sizes are written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def available() -> int:
    """Bytes of memory that this machine can still give, as far as it tells."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def size_of(count: int) -> str:
    """Bytes in words.

    Example:
        >>> size_of(3 << 30), size_of(60_000)
        ('3.0 GiB', '0.1 MiB')
    """
    unit, name = (1 << 30, "GiB") if count >= 1 << 30 else (1 << 20, "MiB")
    return f"{count / unit:,.1f} {name}"
