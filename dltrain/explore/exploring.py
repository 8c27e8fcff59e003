"""From a data set to what an exploration found, in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dltrain.data import DataSet
from dltrain.explore.finding import Tell
from dltrain.explore.folder import write
from dltrain.explore.subject import subject
from dltrain.registry import create, parse


def explore(
    spec: Any, data: DataSet, *, part: str, seed: int, name: str, runs: Path, out: Path | None, tell: Tell
) -> dict[str, Any]:
    """Look at a part of a data set, and write down what is found.

    Parameters:
        spec: an exploration, by the grammar
        data: read, divided and prepared
        part: train, train_dev, validation or test
        seed: where the exploration has none of its own
        name: of the experiment
        runs: folder in which `<name>-<exploration>-<number>` is made
        out: the folder itself, in place of that
        tell: is told how far the work is

    Returns:
        What `result.json` holds, and under `shown` what a terminal shows.

    Raises:
        UsageError: when the exploration does not suit the data.
        DataError: when the data cannot be used.
        StorageError: when the system refuses to write.
    """
    entry, _ = parse(spec, "exploration")
    exploration = create("exploration", spec)
    samples = subject(data, part, exploration, seed)
    found = exploration.explore(samples, tell)
    if len(samples) < samples.available:
        found.notes.insert(0, drawn(len(samples), samples.available, entry.name))
    facts = {
        "method": entry.name,
        "parameters": {a.name: getattr(exploration, a.name) for a in entry.arguments} | {"seed": samples.seed},
        "data": data.description,
        "part": part,
        "samples": len(samples),
        "available": samples.available,
        "features": samples.x.shape[1],
        "classes": data.classes,
        "notes": found.notes,
        "result": found.result,
    }
    written = write(found, samples, facts, f"{name}-{entry.name}", runs, out)
    return {**written, "shown": found.shown}


def drawn(count: int, available: int, method: str) -> str:
    """A sentence on samples that were left out.

    Example:
        >>> drawn(2000, 48000, "tsne")
        '2,000 of 48,000 samples were drawn, to be done in time: `tsne: {samples: …}` takes more'
    """
    return f"{count:,} of {available:,} samples were drawn, to be done in time: `{method}: {{samples: …}}` takes more"
