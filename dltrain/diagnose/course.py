"""A run that is over, as diagnoses look at it: the errors of its parts, and the course of its losses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dltrain.config.effects import name_of
from dltrain.diagnose.health import Health, health_of
from dltrain.runs.metrics import numbers
from dltrain.training.session import Session

if TYPE_CHECKING:
    from dltrain.training.trained import Run

PARTS = ("train", "train_dev", "validation", "test")
DROPOUTS = ("dropout", "spatial_dropout", "alpha_dropout")


@dataclass(frozen=True)
class Measured:
    """The error of a model on a part of the data.

    Parameters:
        error: share of the examples that are wrong, or of the variance that is not explained
        samples: how many there are
        share: whether the error is a share of the examples, whose standard error is known
    """

    error: float
    samples: int
    share: bool = True

    @property
    def deviation(self) -> float:
        """Standard error of the error: √(p (1 - p) / n)."""
        return math.sqrt(max(self.error * (1 - self.error), 0) / max(self.samples, 1)) if self.share else 0.0


@dataclass(frozen=True)
class Course:
    """A run that is over.

    Parameters:
        errors: {part: its error}, with the best weights and without dropout
        goal: the error that the best can reach: of humans, or of Bayes
        losses: {train | validation: loss at each evaluation}, in their order
        rates: learning rate at each evaluation
        config: the complete config
        health: of its layers, with the last weights
    """

    errors: Mapping[str, Measured]
    goal: float = 0.0
    losses: Mapping[str, Sequence[float]] = field(default_factory=dict)
    rates: Sequence[float] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    health: Health = field(default_factory=Health)

    def gap(self, worse: str, better: str) -> tuple[float, float] | None:
        """(how much larger the error of one part is, standard error of that); None where a part is not there."""
        if worse not in self.errors or better not in self.errors:
            return None
        a, b = self.errors[worse], self.errors[better]
        return a.error - b.error, math.hypot(a.deviation, b.deviation)

    @property
    def like_training(self) -> str:
        """The part that is like the training part and was held out: train-dev where there is one."""
        return "train_dev" if "train_dev" in self.errors else "validation"

    def layers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(name, parameters) of each layer that the config writes, blocks included."""
        model = self.config.get("model") or {}
        for part in ("blocks", "graph"):
            for chain in (model.get(part) or {}).values():
                yield from layers_in(chain)

    @property
    def epochs(self) -> int | None:
        """How long it was to train."""
        return (self.config.get("train") or {}).get("epochs")

    @property
    def optimizer(self) -> tuple[str, dict[str, Any]]:
        """Name and parameters."""
        spec = self.config.get("optimizer") or "adam"
        given = spec[name_of(spec)] if isinstance(spec, Mapping) else {}
        return name_of(spec), dict(given) if isinstance(given, Mapping) else {}


def layers_in(chain: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, parameters) of each layer of a chain, and of the chains inside of it."""
    for item in chain if isinstance(chain, (list, tuple)) else ():
        if isinstance(item, str):
            yield item, {}
        elif isinstance(item, Mapping):
            for name, value in item.items():
                yield name, dict(value) if isinstance(value, Mapping) else {}
                yield from layers_in(value)
        else:
            yield from layers_in(item)


def course_of(run: Run, last: Run, goal: float) -> Course:
    """The course of a run: all its parts are measured anew.

    Parameters:
        run: the run, with the best weights
        last: the same, with the last weights
        goal: the error that the best can reach
    """
    errors = {}
    run.read_data()
    last.session.data.parts.update(run.session.data.parts)
    for part in PARTS:
        examples = run.session.data.parts.get(part)
        if examples is not None and len(examples):
            tally = run.tally(part, everything=True)
            results = tally.results()
            if "accuracy" in results:
                errors[part] = Measured(1 - results["accuracy"], int(tally.count))
            elif "r2" in results:
                errors[part] = Measured(1 - results["r2"], int(tally.count), share=False)
    records = [record for record in run.metrics if "loss" in numbers(record.get("train"))]
    measured = {part: [numbers(record.get(part)) for record in records] for part in ("train", "validation")}
    losses = {part: [some["loss"] for some in found if "loss" in some] for part, found in measured.items()}
    rates = [numbers(record).get("learning_rate", 0.0) for record in records]
    health = health_of(last.session) if isinstance(last.session, Session) else Health()
    return Course(errors, goal, {part: some for part, some in losses.items() if some}, rates, run.config, health)
