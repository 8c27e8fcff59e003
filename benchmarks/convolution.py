"""Training steps of convolutional networks against PyTorch, contiguous and channels-last: `make bench`.

Prints a table and writes it to docs/performance.md, like benchmarks/dense.py.
"""

from __future__ import annotations

import sys

from dense import write
from duel import Contestant, Result, duel

WORKLOADS = {
    "LeNet-5 on 28x28, batch 128": ("lenet", 2.5, 0.0),
    "VGG-like on 32x32, batch 64": ("vgg", 0.0, 2.0),
}
OURS, EAGER, LAST = "dltrain", "PyTorch", "PyTorch, channels-last"
MARK = "<!-- convolution -->"


def contestants(network: str) -> list[Contestant]:
    """Ours and the peers at one workload."""
    work = {"network": network}
    return [
        Contestant(OURS, "pictures", "dltrain_step", work),
        Contestant(EAGER, "pictures", "torch_step", work),
        Contestant(LAST, "pictures", "torch_step", {**work, "channels_last": True}),
    ]


def row(name: str, result: Result, *floors: float) -> str:
    """One line of the table."""
    cells = [name, f"{result.median(OURS) * 1e6:,.0f} µs"]
    for peer, floor in zip((EAGER, LAST), floors, strict=True):
        if peer not in result.rounds:
            cells.append("–")
            continue
        wanted = f" (floor {floor:g})" if floor else ""
        cells.append(f"{result.ratio(OURS, peer):.1f} ×{wanted}, {result.median(peer) * 1e6:,.0f} µs")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure both networks and write the page."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    table = [f"| Workload, Adam | {' | '.join((OURS, EAGER, LAST))} |", "|---|---|---|---|"]
    for name, (network, *floors) in WORKLOADS.items():
        table.append(row(name, duel(contestants(network), rounds), *floors))
        print(table[-1], flush=True)
    write(table, MARK)


if __name__ == "__main__":
    main()
