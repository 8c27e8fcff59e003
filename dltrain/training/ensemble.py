"""Several trained runs as one: the mean of what they predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dltrain.data import DataSet
from dltrain.errors import DataError, UsageError
from dltrain.layers.base import Array
from dltrain.model.mode import Mode
from dltrain.tasks import Tally
from dltrain.training.trained import Run, measured


class Ensemble:
    """The mean of the predictions of several runs: of probabilities for classes, of values for regression.

    The models and their preparation of the data may differ; task and data must be the same, and so must the examples
    of the part that is measured.

    Parameters:
        runs: the members, two or more

    Raises:
        UsageError: when the members' tasks differ.
        DataError: when their data differ.

    Source: Hansen and Salamon, Neural network ensembles, 1990.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        first, *others = self.runs
        for other in others:
            if other.kind != first.kind:
                what = "the runs of an ensemble solve one task"
                raise UsageError(what, where=other.folder.name, expected=first.kind, got=other.kind)
            links, own = first.session.task.links, other.session.task.links
            if links != own:
                what, hint = "the losses of an ensemble turn outputs into probabilities alike", "see `loss` of both"
                got = f"{own} instead of {links}"
                raise UsageError(what, where=other.folder.name, got=got, hint=hint)
            if not same_targets(first.session.data, other.session.data):
                what, hint = "the runs of an ensemble prepare their targets alike", "see `data.prepare_target` of both"
                raise UsageError(what, where=other.folder.name, hint=hint)
            a, b = first.session.data, other.session.data
            if (a.fingerprint, a.classes, a.target_names) != (b.fingerprint, b.classes, b.target_names):
                what, expected = "the runs of an ensemble share their data", f"fingerprint {a.fingerprint[:16]}…"
                got = f"{b.fingerprint[:16]}…" if a.fingerprint != b.fingerprint else f"{b.classes or b.target_names}"
                raise DataError(what, where=other.folder.name, expected=f"{expected} of {first.folder.name}", got=got)

    def tally(self, split: str, data: str | Path | None = None, everything: bool = False) -> tuple[Tally, list[Tally]]:
        """Sums over a part of the data, or over a file: of the ensemble, and of each member.

        Parameters:
            split: train, validation or test
            data: a file to measure instead
            everything: collect all that the task can, whether a metric reads it or not

        Raises:
            UsageError: when there is no such part.
            DataError: when the part has other examples in some member.
        """
        loaders = [run.loader(split, data) for run in self.runs]
        ids = loaders[0].examples.ids
        for run, loader in zip(self.runs, loaders, strict=True):
            if not np.array_equal(loader.examples.ids, ids):
                raise DataError(
                    f"the {split} part of this run has other examples than that of {self.runs[0].folder.name}",
                    where=run.folder.name,
                    hint="train the runs with one `seed` of `data.split`, or measure a file with --data",
                )
        members = [run.session.task.tally(everything) for run in self.runs]
        evaluators = [run.session.evaluator() for run in self.runs]
        task, mode = self.runs[0].session.task, Mode(False, kernels=self.runs[0].session.kernels)
        whole = task.tally(everything)
        for index in range(loaders[0].steps_per_epoch):
            outputs = []
            for evaluator, loader, tally in zip(evaluators, loaders, members, strict=True):
                batch = loader.batch(0, index)
                outputs.append(evaluator.take(batch, index, tally))
            batch = loaders[0].batch(0, index)
            mean = self.combine(outputs)
            loss, _ = task.loss(mean, batch, mode)
            whole.add(loss, 0.0, mean, batch, mode.kernels(mean[task.evaluated_wires[0]]))
        for run, tally in zip(self.runs, members, strict=True):
            measured(tally, f"{run.folder.name}, {split if data is None else data}")
        return whole, members

    def predict(self, inputs: str | Path | Array) -> list[dict[str, Any]]:
        """Predictions for a file or an array of raw features, one dict for each sample; see `Run.predict`."""
        first = self.runs[0]
        said = first.session.task.predict(self.combine([run.outputs(inputs) for run in self.runs]))
        return first.with_texts(inputs, said)

    def combine(self, outputs: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """The outputs whose predictions are the mean of the members', which may have other names for their wires."""
        first = self.runs[0].session.task
        named = [
            {first.ends[head]: found[wire] for head, wire in run.session.task.ends.items()}
            for run, found in zip(self.runs, outputs, strict=True)
        ]
        return first.combine(named)

    def per_member(self, tallies: Sequence[Tally]) -> list[dict[str, Any]]:
        """Run, checkpoint and metrics of each member, as JSON."""
        return [
            {"run": str(run.folder.path), "checkpoint": run.step, "metrics": tally.results()}
            for run, tally in zip(self.runs, tallies, strict=True)
        ]


def same_targets(a: DataSet, b: DataSet) -> bool:
    """Whether the targets of two data sets were prepared alike, with the same constants."""
    constants = [{k: v for k, v in data.constants.items() if k.startswith("target.")} for data in (a, b)]
    steps = [(data.prepare_target, [head.get("prepare_target") for head in data.heads.values()]) for data in (a, b)]
    return steps[0] == steps[1] and all(
        name in constants[1] and np.array_equal(value, constants[1][name]) for name, value in constants[0].items()
    )
