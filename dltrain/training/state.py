"""The state of a trainer, as checkpoints hold it: everything that the next step depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import CorruptFileError, DltrainError

if TYPE_CHECKING:
    from dltrain.training.trainer import Trainer

PLAIN = ("epoch", "index", "step", "rate", "settled", "best", "stopped", "restores_best", "metrics", "measured_at")


def state_of(trainer: Trainer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything that the next step depends on: (arrays, JSON values)."""
    tally, slots, average = trainer.tally.state(), trainer.optimizer.state(), trainer.average
    arrays = {f"model/{path}": value for path, value in trainer.graph.state().items()}
    arrays |= {f"tally/{name}": array for name, array in tally.pop("arrays").items()}
    arrays |= {f"average/{path}": value for path, value in (average.state() if average else {}).items()}
    arrays |= {f"optimizer/{name}": slot for name, slot in slots.items() if isinstance(slot, np.ndarray)}
    arrays |= {f"carried/{place}": array for place, array in (trainer.mode.states or {}).items()}
    meta = {name: getattr(trainer, name) for name in PLAIN}
    meta |= {
        "optimizer": {name: slot for name, slot in slots.items() if not isinstance(slot, np.ndarray)},
        "tally": tally,
        "hooks": [hook.state() for hook in trainer.hooks],
        "average": 0 if average is None else average.count,
    }
    return arrays, meta


def load_state(trainer: Trainer, arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    """Bring a trainer to the state that `state_of` told.

    Raises:
        DltrainError: when it is the state of other hooks, or an older version of dltrain wrote it.
    """
    if "average" not in meta:
        what, hint = "an older version of dltrain wrote the checkpoint", "evaluate the run as it is, or fit anew"
        raise DltrainError(what, where=f"step {meta['step']}", hint=hint)
    load_weights(trainer, arrays, meta["average"])
    trainer.optimizer.load_state({**part(arrays, "optimizer"), **meta["optimizer"]})
    trainer.tally.load_state({**meta["tally"], "arrays": part(arrays, "tally")})
    if len(meta["hooks"]) != len(trainer.hooks):
        raise DltrainError("the checkpoint was made with other hooks", hint="resume with the run's own config")
    for hook, state in zip(trainer.hooks, meta["hooks"], strict=True):
        hook.load_state(state)
    for name in PLAIN:
        setattr(trainer, name, meta[name])
    trainer.mode.states = part(arrays, "carried") if trainer.loader.stateful else None
    trainer.saved = trainer.step


def load_weights(trainer: Trainer, arrays: dict[str, Any], count: int) -> None:
    """The model's weights alone, and their average.

    Parameters:
        trainer: which gets them
        arrays: of a checkpoint
        count: how many states are in the average
    """
    trainer.graph.load_state(part(arrays, "model"))
    if trainer.average is not None:
        trainer.average.load_state(part(arrays, "average"), count)


def check_position(trainer: Trainer, where: str) -> None:
    """Refuse a state whose step, epoch and batch are no moment of this run.

    After the last batch of an epoch the trainer stands behind it only until the step is settled.

    Parameters:
        trainer: in the state of a checkpoint
        where: the file the state came from

    Raises:
        CorruptFileError: naming what does not fit.
    """
    per_epoch = trainer.loader.steps_per_epoch
    last, step = per_epoch - trainer.settled, trainer.epoch * per_epoch + trainer.index
    if not 0 <= trainer.index <= last:
        what, expected, got = "no moment of this run has such a batch", f"0 to {last}", str(trainer.index)
    elif trainer.step != step:
        what, got = "the step does not fit its place", str(trainer.step)
        expected = f"{step} after {trainer.epoch} epochs and {trainer.index} batches"
    else:
        return
    raise CorruptFileError(what, where=where, expected=expected, got=got, hint="start a new run")


def part(arrays: dict[str, Any], name: str) -> dict[str, Any]:
    """The arrays under one name, without it.

    Example:
        >>> part({"model/y.0.dense.bias": 1, "tally/counts": 2}, "tally")
        {'counts': 2}
    """
    return {path.partition("/")[2]: array for path, array in arrays.items() if path.startswith(f"{name}/")}


def weights_of(arrays: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint's user works with: the averaged weights where there are any, else those that were trained."""
    return part(arrays, "average") or part(arrays, "model")
