"""Metrics as event files, which TensorBoard reads; written with the package tensorboard, which needs no TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dltrain.runs import files

FOLDER = "tensorboard"  # within a run's folder
VERSION = "brain.Event:2"  # of the format, in the first event of a file


def scalars(record: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a record of the metric log, as `part/metric`; what is no number is left out.

    Example:
        >>> scalars({"step": 7, "learning_rate": 0.1, "validation": {"loss": 0.5, "f1": None}})
        {'learning_rate': 0.1, 'validation/loss': 0.5}
    """
    found = {"learning_rate": record["learning_rate"]} if record.get("learning_rate") is not None else {}
    for part, values in record.items():
        if isinstance(values, Mapping):
            found |= {f"{part}/{name}": float(value) for name, value in values.items() if value is not None}
    return found


def begin(run: Path, step: int) -> Path:
    """A new event file of a run, which says that what older files tell of later steps does not count.

    Every process has one of its own: behind a record that a kill has cut nothing would be read.

    Parameters:
        run: folder of the run
        step: last one that counts

    Raises:
        UsageError: when the package tensorboard is not installed.
        StorageError: when the system refuses.
    """
    event, _ = protocol()
    folder = run / FOLDER
    files.make_folders(folder)
    path = folder / f"events.out.tfevents.{len(list(folder.glob('events.out.tfevents.*'))) + 1:04d}.dltrain"
    restart = event(wall_time=time.time(), step=step + 1)
    restart.session_log.status = restart.session_log.START
    write(path, [event(wall_time=time.time(), file_version=VERSION), restart])
    return path


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Write the numbers of a record of the metric log.

    Raises:
        StorageError: when the system refuses.
    """
    event, summary = protocol()
    values = [summary.Value(tag=tag, simple_value=value) for tag, value in scalars(record).items()]
    write(path, [event(wall_time=time.time(), step=record["step"], summary=summary(value=values))])


def write(path: Path, events: Iterable[Any]) -> None:
    """Append events to a file."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    with files.explained(path, "write the event file"), open(path, "ab") as file:
        for event in events:
            RecordWriter(file).write(event.SerializeToString())


def protocol() -> tuple[Any, Any]:
    """The messages `Event` and `Summary` of the package tensorboard.

    Raises:
        UsageError: when it is not installed.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
    except ImportError:
        from dltrain.errors import UsageError

        hint = 'install it with `pip install "dltrain[tensorboard]"`, or leave the hook out'
        raise UsageError("this hook needs the package tensorboard", where="hooks: tensorboard", hint=hint) from None
    return Event, Summary
