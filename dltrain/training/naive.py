"""What naive forecasts reach on the very windows that a model is measured on: a model must be better than these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain.data import DataSet, Examples, Loader
from dltrain.data.target_preparation import apply, prepared
from dltrain.layers.base import Array
from dltrain.training.evaluation import MOST, Evaluator

if TYPE_CHECKING:
    from dltrain.model.mode import Mode
    from dltrain.training.trained import Run


class Said:
    """A model that says what it is given.

    Parameters:
        wire: the wire that the task reads
    """

    def __init__(self, wire: str) -> None:
        self.wire = wire

    def forward(
        self,
        inputs: Mapping[str, Array],
        train: bool = False,
        mode: Mode | None = None,
        wires: Iterable[str] | None = None,
    ) -> tuple[dict[str, Array], Any]:
        """{wire: what was given}."""
        return {self.wire: inputs["x"]}, None


def naive_results(run: Run, split: str, data: str | Path | None = None) -> list[dict[str, Any]]:
    """Loss and metrics of naive forecasts, [{"name", "metrics"}]; [] where the run's data are no series.

    Parameters:
        run: whose loss, metrics and windows
        split: the part of its data
        data: a file in place of that
    """
    session, found = run.session, []
    if "series" not in session.data.layout:
        return []
    examples = run.loader(split, data).examples
    for k, name in enumerate(session.data.layout["series"]["naive"]):
        said = as_outputs(examples.columns["naive"][:, k], examples, session.data)
        evaluator = Evaluator(Said(session.task.wire), session.task, session.arena, session.kernels)
        tally = evaluator.run(Loader(said, MOST, shuffle=False, seed=0))
        assert tally is not None
        found.append({"name": name, "metrics": tally.results()})
    return found


def as_outputs(forecasts: Array, examples: Examples, data: DataSet) -> Examples:
    """Examples whose features are forecasts, prepared as the targets are, as a model would say them."""
    some = Examples({"y": forecasts}, examples.ids)
    which = prepared(data.prepare_target, data.heads)
    x = apply(which, data.constants, some, data.dtype, "sample {}".format).columns["y"].astype(data.dtype)
    return Examples({"x": x, "y": examples.columns["y"]}, examples.ids)
