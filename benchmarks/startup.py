"""How long the command line takes to answer, beyond a bare interpreter: `make bench`.

Exits with 1 where the first page takes longer than it may.  What a start loads is tested in `tests/test_imports.py`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

TURNS = 15
LIMIT = 60  # ms for the first page
STARTS = {
    "dltrain --help": ["-m", "dltrain", "--help"],
    "dltrain --version": ["-m", "dltrain", "--version"],
    "dltrain list layers": ["-m", "dltrain", "list", "layers"],
    "dltrain explain train.batch_size": ["-m", "dltrain", "explain", "train.batch_size"],
    "dltrain explain digits-mlp": ["-m", "dltrain", "explain", "digits-mlp"],
}


def milliseconds(arguments: list[str]) -> float:
    """Wall time of a process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return 1000 * (time.perf_counter() - started)


def beyond_bare(arguments: list[str]) -> float:
    """Median of pairs taken in turn, so that a busy moment hits both."""
    milliseconds(arguments)  # writes the byte code
    return median(milliseconds(arguments) - milliseconds(["-c", "pass"]) for _ in range(TURNS))


def main() -> int:
    """Print a table; the exit code."""
    found = {name: beyond_bare(arguments) for name, arguments in STARTS.items()}
    for name, taken in found.items():
        print(f"{name:34}{taken:6.0f} ms")
    return int(found["dltrain --help"] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
