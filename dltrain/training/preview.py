"""The scheduled numbers of an optimizer over a run that has not begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dltrain.optim import Moment

if TYPE_CHECKING:
    from dltrain.training.trainer import Trainer

POINTS = 400  # steps that are looked at, at most
EPOCHS = 10  # where only time limits the run


def schedules(trainer: Trainer) -> dict[str, Any]:
    """The learning rate and every other scheduled number, at some hundred steps from the first to the last.

    Returns ``{steps, values: {name: numbers}, steps_per_epoch, total_steps, notes}``; step 0 is the first.
    """
    optimizer, per_epoch, total = trainer.optimizer, trainer.loader.steps_per_epoch, trainer.total_steps
    notes = []
    if total is None:
        notes.append(f"only time limits the run: these are its first {EPOCHS} epochs")
    if optimizer.watches:
        notes.append("what falls on a plateau is drawn as if none came")
    count = total or EPOCHS * per_epoch
    steps = sorted({round((count - 1) * i / (POINTS - 1)) for i in range(POINTS)})
    found = [optimizer.values(Moment(step, per_epoch, total)) for step in steps]
    values = {name: [numbers[name] for numbers in found] for name in found[0]}
    return {"steps": steps, "values": values, "steps_per_epoch": per_epoch, "total_steps": count, "notes": notes}
