"""The folder of an exploration: its numbers as JSON, its samples as CSV, its pictures as SVG."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dltrain.explore.finding import Finding
from dltrain.explore.subject import Subject
from dltrain.runs import results


def write(
    found: Finding, subject: Subject, facts: Mapping[str, Any], name: str, runs: Path, out: Path | None
) -> dict[str, Any]:
    """Write everything that was found, and return what `result.json` holds; a signal in between waits for the end.

    Parameters:
        found: what was found
        subject: the samples
        facts: what `result.json` says beside
        name: of the folder, where it is numbered
        runs: folder in which `<name>-<number>` is made
        out: the folder itself, in place of that; files of the same names are replaced

    Raises:
        StorageError: when the system refuses.
    """
    files = {f"{figure}.svg": text for figure, text in found.figures.items()} | {"samples.csv": as_csv(found, subject)}
    return results.write(files, facts, name, runs, out)


def as_csv(found: Finding, subject: Subject) -> str:
    """A line for each sample: its position in the source, its class or target, and what was found for it."""
    columns: dict[str, Any] = {"sample": subject.ids.tolist()}
    if subject.labels is not None and subject.classes is not None:
        columns["class"] = [subject.classes[label] for label in subject.labels]
    elif subject.targets is not None:
        columns[subject.target] = subject.targets.tolist()
    columns |= {name: values.tolist() for name, values in found.columns.items()}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()
