"""Training steps of dense networks against PyTorch and scikit-learn: `make bench`.

Prints a table and writes it to docs/performance.md, with versions, processor, threads and environment.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path

from duel import PINS, THREADS, Contestant, Result, duel

WORKLOADS = {
    "64-30-10, batch 10": ([64, 30, 10], 10, 4.0, 0.0),
    "784-256-128-10, batch 128": ([784, 256, 128, 10], 128, 3.5, 1.8),
    "784-1024-1024-10, batch 256": ([784, 1024, 1024, 10], 256, 2.2, 0.0),
}
OURS, EAGER, FUSED, SKLEARN = "dltrain", "PyTorch", "PyTorch, fused Adam", "scikit-learn"
PRODUCTS = "products alone"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
MARK = "<!-- measured -->"


def contestants(widths: list[int], batch: int) -> list[Contestant]:
    """Ours and the peers at one workload."""
    work = {"widths": widths, "batch": batch}
    return [
        Contestant(OURS, "contestants", "dltrain_step", work),
        Contestant(EAGER, "contestants", "torch_step", work),
        Contestant(FUSED, "contestants", "torch_step", {**work, "fused": True}),
        Contestant(SKLEARN, "contestants", "sklearn_step", work),
        Contestant(PRODUCTS, "contestants", "numpy_products", work),
    ]


def row(name: str, result: Result, floor_eager: float, floor_fused: float) -> str:
    """One line of the table."""
    cells = [name, f"{result.median(OURS) * 1e6:,.0f} µs"]
    for peer, floor in ((EAGER, floor_eager), (FUSED, floor_fused), (SKLEARN, 0.0)):
        if peer not in result.rounds:
            cells.append("–")
            continue
        wanted = f" (floor {floor:g})" if floor else ""
        cells.append(f"{result.ratio(OURS, peer):.1f} ×{wanted}, {result.median(peer) * 1e6:,.0f} µs")
    cells.append(f"{result.median(PRODUCTS) * 1e6:,.0f} µs, {1 / result.ratio(OURS, PRODUCTS):.2f} ×")
    return "| " + " | ".join(cells) + " |"


def write(table: list[str], mark: str) -> None:
    """Put a table, and what its figures depend on, between the two marks of the page."""
    parts = PAGE.read_text().split(mark) if PAGE.exists() else []
    if len(parts) == 3:
        PAGE.write_text(mark.join([parts[0], "\n".join(["", "", *table, "", *machine(), "", ""]), parts[2]]))


def machine() -> list[str]:
    """What the figures depend on."""
    versions = [f"{name} {version(name)}" for name in ("numpy", "numba", "torch", "scikit-learn")]
    pinned = [name for name in PINS if name in os.environ]
    note = f"; {', '.join(pinned)} set on this machine, removed for all contestants" if pinned else ""
    return [
        f"Python {platform.python_version()}, {', '.join(versions)}; {processor()}; {THREADS} threads, float32{note}.",
        "Medians of 9 interleaved rounds, each contestant in its own process, one alive at a time; a ratio is the",
        "median of the rounds' ratios, above 1 where dltrain is faster.",
    ]


def version(package: str) -> str:
    """Installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def processor() -> str:
    """Name of the processor, as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measure all workloads and write the page."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    table = [f"| Workload, Adam | {' | '.join((OURS, EAGER, FUSED, SKLEARN, PRODUCTS))} |", "|---|---|---|---|---|---|"]
    for name, (widths, batch, floor_eager, floor_fused) in WORKLOADS.items():
        table.append(row(name, duel(contestants(widths, batch), rounds), floor_eager, floor_fused))
        print(table[-1], flush=True)
    write(table, MARK)


if __name__ == "__main__":
    main()
