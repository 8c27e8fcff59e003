"""The file that a run leaves where it met a number that is not finite: all that its last step needs.

It is written as checkpoints are (HDF5 behind a line with a SHA-256; nothing in it is executed), once in a run's folder,
and read by `dltrain replay`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data.loader import Batch, Mixed
from dltrain.errors import CorruptFileError, DltrainError, NumericsError
from dltrain.layers.base import Array
from dltrain.runs.files import decode_json
from dltrain.training import checkpoint
from dltrain.training.autopsy import unsound
from dltrain.training.journal import NoJournal
from dltrain.training.progress import SilentProgress
from dltrain.training.state import part, state_of

if TYPE_CHECKING:
    from dltrain.model.graph import Graph
    from dltrain.training.trainer import Trainer

LARGEST = 1 << 30  # bytes; a larger state is not written
KEPT = ("model", "optimizer", "carried")  # of a trainer's state
PLACE = ("step", "epoch", "index")
DICTS = ("config", "data", "optimizer")  # of the JSON values
COUNTS = (*PLACE, "micro_batch", "steps_per_epoch")


@dataclass(frozen=True)
class Remains:
    """What is left of a step.

    Parameters:
        arrays: of the trainer's state before it
        batch: its examples
        meta: the JSON values: config, data, optimizer, place, what was found
    """

    arrays: dict[str, Array]
    batch: Batch
    meta: dict[str, Any]


def with_file(trainer: Trainer, error: NumericsError) -> NumericsError:
    """The error, which names the file that was left beside the run's checkpoints, where one could be.

    An update that made the weights non-finite is found by going back to the newest checkpoint: the steps since then
    are done again, for nothing else holds the weights of before.

    Parameters:
        trainer: as the error left it
        error: what was found
    """
    found = remains_of(trainer, error)
    wanted = sum(array.nbytes for array in found[0].values())
    if wanted > LARGEST:
        return _told(error, f"the state of the step ({wanted:,} bytes) is too large to be kept")
    try:
        path = trainer.journal.leave(trainer.step, *found)
    except DltrainError as trouble:
        return _told(error, f"no file for `dltrain replay` could be written ({trouble})")
    return error if path is None else _told(error, f"`dltrain replay {path}` shows how it came about")


def _told(error: NumericsError, more: str) -> NumericsError:
    hint = "; ".join(text for text in (error.hint, more) if text)
    return NumericsError(error.what, where=error.where, expected=error.expected, got=error.got, hint=hint)


def remains_of(trainer: Trainer, error: NumericsError) -> tuple[dict[str, Array], dict[str, Any]]:
    """(arrays, JSON values) of the step that left the finite numbers."""
    bits = digest(trainer.graph)
    before = retraced(trainer) if error.what == lost(trainer) else None
    arrays, meta = before or state_of(trainer)
    epoch, index = meta["epoch"], meta["index"]
    batch = trainer.loader.batch(epoch, index, trainer.kernels)
    kept = {name: array for name, array in arrays.items() if name.partition("/")[0] in KEPT}
    return kept | _columns(batch), {
        "autopsy": {
            **{name: meta[name] for name in PLACE},
            "micro_batch": trainer.micro_batch,
            "steps_per_epoch": trainer.loader.steps_per_epoch,
            "total_steps": trainer.total_steps,
            "what": error.what,
            "sha256": digest(trainer.graph) if before else bits,
            "retraced": before is not None,  # else the failing step has changed the running statistics already
        },
        "optimizer": meta["optimizer"],
    }


def retraced(trainer: Trainer) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The state before the step that made weights or statistics non-finite; None where it does not come about again.

    The trainer is afterwards where that step left it.
    """
    found, wrong, last = trainer.journal.last(), state_of(trainer), trainer.step - 1
    if found is None or not found[1]["step"] <= last:
        return None
    trainer.progress.message(f"going back to the checkpoint of step {found[1]['step']}, to find the update")
    journal, trainer.journal, trainer.progress = trainer.journal, NoJournal(), SilentProgress()
    try:
        trainer.load_state(*found)
        while trainer.step < last and not journal.interrupted():
            trainer.advance()
        before = state_of(trainer) if trainer.step == last else None
        if before is not None:
            trainer.train_step()
    except NumericsError:  # it took another course than before
        before = None
    finally:
        trainer.journal = journal
    if before is None or not lost(trainer):
        trainer.load_state(*wrong)
        return None
    return before


def lost(trainer: Trainer) -> str:
    """Which weights or running statistics are not finite, in words; empty where all are."""
    return unsound(trainer.graph, trainer.kernels, trainer.step)


def digest(graph: Graph) -> str:
    """SHA-256 of all weights and gradients: two steps that agree in it agree in every bit."""
    return hashlib.sha256(graph.vector.value.tobytes() + graph.vector.grad.tobytes()).hexdigest()


def _columns(batch: Batch) -> dict[str, Array]:
    """A batch as arrays by name."""
    found = {f"batch/inputs/{wire}": array for wire, array in batch.inputs.items()}
    found |= {"batch/target": batch.target, "batch/ids": batch.ids}
    if batch.weight is not None:
        found["batch/weight"] = batch.weight
    if batch.mixed is not None:
        mixed = {name: array for name, array in batch.mixed._asdict().items() if array is not None}
        found |= {f"batch/mixed/{name}": array for name, array in mixed.items()}
    return found


def read(path: Path) -> Remains:
    """What a run left.

    Parameters:
        path: of the file

    Raises:
        StorageError: when the file cannot be read.
        CorruptFileError: when it is damaged, or is not such a file.
    """
    try:
        arrays, meta = checkpoint.load(path)
    except CorruptFileError as error:
        what = "the file is damaged, or none that a run left behind a number that is not finite"
        raise CorruptFileError(what, where=str(path), got=error.what) from None
    if isinstance(meta.get("config"), str):
        meta["config"] = decode_json(meta["config"], f"{path}: config")
    place = meta.get("autopsy")
    columns, where = part(arrays, "batch"), str(path)
    lacks = [name for name in ("target", "ids") if name not in columns]
    if not isinstance(place, dict) or lacks or not all(isinstance(meta.get(key), dict) for key in DICTS):
        hint = "it is `autopsy.h5` in the folder of a run that was stopped by such a number"
        raise CorruptFileError("no step that left the finite numbers is in this file", where=where, hint=hint)
    wrong = [name for name in COUNTS if not isinstance(place.get(name), int) or not 0 <= place[name] < 1 << 62]
    inputs = part(columns, "inputs")
    if wrong or not place["micro_batch"] or not place["steps_per_epoch"]:
        raise CorruptFileError(f"{(*wrong, 'a size')[0]} is no number of a run", where=where)
    sizes = {len(array) for array in (*inputs.values(), columns["target"], columns["ids"]) if array.ndim}
    if len(sizes) != 1 or not inputs:
        raise CorruptFileError("the columns of the batch differ in size", where=where)
    return Remains(arrays, _batch(columns, inputs, place["epoch"], place["index"]), meta)


def _batch(columns: dict[str, Array], inputs: dict[str, Array], epoch: int, index: int) -> Batch:
    target, ids, mixed = columns["target"], columns["ids"], part(columns, "mixed")
    second = Mixed(mixed["target"], mixed["share"], mixed.get("weight")) if mixed else None
    return Batch(inputs, target, np.arange(len(ids)), epoch, index, ids, columns.get("weight"), None, second)
