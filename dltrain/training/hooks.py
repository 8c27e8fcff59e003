"""What happens beside the steps of a training run: when × what."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain.registry import register
from dltrain.training import event_files
from dltrain.training.goal import ahead, lookup
from dltrain.types import NonNegativeFloat, PositiveInt

if TYPE_CHECKING:
    from dltrain.training.trainer import Trainer


class Hook(ABC):
    """Something that watches a run, and may stop it.  It draws no random number and changes no training state."""

    monitor: str | None = None
    restore_best_weights = False  # whether a stop by this hook ends with the best weights

    def check(self) -> None:  # noqa: B027  (most need nothing)
        """Called before the training; fails where something that the hook needs is not installed."""

    @abstractmethod
    def after_evaluation(self, trainer: Trainer, record: dict[str, Any]) -> None:
        """Called with each record that has new metrics."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What must be known to go on after a resume; JSON values."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from `state()`."""


@register("hook", "early_stopping")
class EarlyStopping(Hook):
    """Stop when a metric has not got better for a while.

    The best weights are kept as a checkpoint in any case, and `dltrain evaluate` and `predict` take them unless told
    otherwise.  With `restore_best_weights` the last checkpoint of a run that was stopped holds them too.

    Parameters:
        patience: how many evaluations without a better value are waited for
        monitor: the metric, as `validation.loss`; default what says which checkpoint is best, with its bounds
        min_delta: how much better counts as better
        restore_best_weights: end with the weights that were best by `train.monitor`, in place of the last ones

    Example:
        >>> from types import SimpleNamespace
        >>> from dltrain.training.goal import Goal
        >>> run = SimpleNamespace(goal=Goal("validation.loss", higher=False), higher_is_better=lambda metric: False)
        >>> run.stop = lambda reason, restore_best: print(reason)
        >>> hook = EarlyStopping(patience=2)
        >>> for loss in (3.0, 2.0, 2.5, 2.1):
        ...     hook.after_evaluation(run, {"validation": {"loss": loss}})
        early_stopping
        >>> hook.state()
        {'best': 2.0, 'violation': 0.0, 'wait': 2}

    Source: Prechelt: Early stopping, but when?, 1998.
    """

    def __init__(
        self,
        patience: PositiveInt,
        monitor: str | None = None,
        min_delta: NonNegativeFloat = 0.0,
        restore_best_weights: bool = False,
    ) -> None:
        self.patience, self.monitor, self.min_delta = patience, monitor, min_delta
        self.restore_best_weights = restore_best_weights
        self.best: float | None = None
        self.violation, self.wait = 0.0, 0

    def after_evaluation(self, trainer: Trainer, record: dict[str, Any]) -> None:
        """Count, and ask for a stop."""
        monitor = self.monitor or trainer.goal.metric
        value = lookup(record, monitor)
        if value is None:
            return
        missed = trainer.goal.violation(record) if self.monitor is None else 0.0
        now, before = (missed, value), (self.violation, self.best)
        if self.best is None or ahead(now, before, trainer.higher_is_better(monitor), self.min_delta):
            self.best, self.violation, self.wait = value, missed, 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            trainer.stop("early_stopping", restore_best=self.restore_best_weights)

    def state(self) -> dict[str, Any]:
        """Best value, by how much it missed the bounds, and count."""
        return {"best": self.best, "violation": self.violation, "wait": self.wait}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on counting."""
        self.best, self.violation, self.wait = state["best"], state["violation"], state["wait"]


@register("hook", "tensorboard")
class TensorBoard(Hook):
    """Write all metrics and the learning rate for TensorBoard too, into `tensorboard/` in the folder of the run.

    `tensorboard --logdir runs` shows the runs side by side.  After a resume the steps that are made again replace those
    of before.  It needs the package tensorboard: `pip install "dltrain[tensorboard]"`.

    Example:
        >>> hook = TensorBoard()
        >>> hook.load_state({"step": 28})
        >>> hook.state()
        {'step': 28}

    Source: Abadi et al.: TensorFlow: a system for large-scale machine learning, 2016.
    """

    def __init__(self) -> None:
        self.step = 0  # the last one that was written
        self.file: Path | None = None

    def check(self) -> None:
        """The package tensorboard must be there."""
        event_files.protocol()

    def after_evaluation(self, trainer: Trainer, record: dict[str, Any]) -> None:
        """Write the record; a training that keeps no folder writes nothing."""
        folder = trainer.journal.folder
        if folder is not None:
            self.file = self.file or event_files.begin(folder, self.step)
            event_files.append(self.file, record)
        self.step = record["step"]

    def state(self) -> dict[str, Any]:
        """The last step."""
        return {"step": self.step}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on after that step."""
        self.step = state["step"]
