"""Train every shipped config and write what it reaches to docs/results.md: `make results`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import dltrain
from dltrain.config.shipped import shipped_configs
from dltrain.errors import DataError

PAGE = Path(__file__).parent.parent / "docs" / "results.md"
HEAD = """# What the shipped configs reach

Written by `make results`: every config with its own seed, measured on its test part with the best weights.

| Config | Epochs | Seconds | Test |
|---|---|---|---|
"""


def row(name: str, path: Path) -> str:
    """Train one config; its line of the table."""
    with tempfile.TemporaryDirectory() as runs:
        try:
            result = dltrain.fit(path, runs=runs)
        except DataError as error:
            return f"| {name} | – | – | not run: {error.what} |"
    return f"| {name} | {result['epochs']} | {result['seconds']:.1f} | {words(result['test'])} |"


def words(metrics: dict[str, Any]) -> str:
    """Metrics in one line."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def main() -> None:
    """Write the page, and print it as it grows."""
    rows = []
    for name, path in shipped_configs().items():
        rows.append(row(name, path))
        print(rows[-1], flush=True)
    PAGE.write_text(HEAD + "\n".join(rows) + f"\n\n{os.cpu_count()} processors, dltrain {dltrain.__version__}.\n")


if __name__ == "__main__":
    main()
