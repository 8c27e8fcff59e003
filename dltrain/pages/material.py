"""What a page of a run is made from, read as far as its sections ask."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data.lazy import select
from dltrain.layers.base import Array
from dltrain.pages.section import LeftOut
from dltrain.runs.folder import RunFolder
from dltrain.runs.listing import RunRow, row
from dltrain.runs.metrics import as_map, numbers, read_log
from dltrain.training.session import Session
from dltrain.training.trained import Run, load_run

if TYPE_CHECKING:
    from dltrain.data import DataSet
    from dltrain.data.examples import Examples
    from dltrain.looking import Inside

JUDGED = ("validation", "test", "train")  # the part that is judged: the first that there is


PARTS = ("train", "train_dev", "validation", "test")


class Material:
    """A run.

    Parameters:
        folder: its folder
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @cached_property
    def row(self) -> RunRow:
        """Its state and summary."""
        return row(self.folder)

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """{part: {metric: value}}: the last of each part, of the test part those of the best weights."""
        summary, last = self.row.summary, self.records[-1] if self.records else {}
        found = {**last, **as_map(summary.get("metrics")), "test": summary.get("test")}
        parts = {part: numbers(found.get(part)) for part in PARTS}
        return {part: some for part, some in parts.items() if some}

    @property
    def best(self) -> tuple[str, float, str] | None:
        """Metric, value and epoch of the best state; None where there is none yet."""
        found = as_map(self.row.summary.get("best"))
        value = numbers(found).get("value")
        return None if value is None else (str(found.get("metric")), value, str(found.get("epoch")))

    @property
    def seconds(self) -> float | None:
        """How long it trained so far."""
        times = [numbers(record).get("seconds") for record in read_log(self.folder.timing_path)[-1:]]
        return numbers(self.row.summary).get("seconds") or (times[0] if times else None)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """Its metric log."""
        return read_log(self.folder.metrics_path)

    @cached_property
    def run(self) -> Run:
        """The run with its best weights."""
        return load_run(self.folder.path)

    @cached_property
    def last(self) -> Run:
        """The run with its last weights."""
        return load_run(self.folder.path, checkpoint="last")

    @cached_property
    def data(self) -> DataSet:
        """Its data, read."""
        self.run.read_data()
        return self.run.session.data

    @property
    def network(self) -> Session:
        """The session of its network."""
        if not isinstance(self.run.session, Session):
            raise LeftOut("a baseline has no layers")
        return self.run.session

    @cached_property
    def inside(self) -> Inside:
        """Its network with every layer as a wire."""
        from dltrain.looking import Inside

        return Inside(self.network.graph)

    @cached_property
    def part(self) -> str:
        """The part of the data that is judged."""
        return next(part for part in JUDGED if len(self.data.parts.get(part, ())))

    @cached_property
    def tally(self) -> Any:
        """What was counted over that part."""
        self.data  # noqa: B018
        return self.run.tally(self.part, everything=True)

    @cached_property
    def heads(self) -> dict[str, Any]:
        """{head: its account}; one without a name where there is one."""
        return {name: head for name, head in self.tally.heads.items() if head.count}

    @cached_property
    def mistakes(self) -> dict[str, Any]:
        """{head: what it makes of each example of that part, the worst first}, as `diagnose.mistakes` gives it."""
        from dltrain.diagnose.mistakes import mistakes_of

        self.data  # noqa: B018
        return mistakes_of(self.run, self.data.parts[self.part])

    @cached_property
    def diagnosed(self) -> dict[str, Any]:
        """What `dltrain diagnose` says of it."""
        from dltrain.diagnose.doctor import diagnosed

        return diagnosed(self.run, self.last, 0.0)

    def drawn(self, most: int) -> Examples:
        """At most so many examples of that part, evenly over it."""
        examples = self.data.parts[self.part]
        return examples.take(np.unique(np.linspace(0, len(examples) - 1, most).astype(np.int64)))

    def features(self, examples: Examples) -> Array:
        """What the network is fed of some examples."""
        return np.asarray(select(examples.columns["x"], np.arange(len(examples))))

    def need_pictures(self) -> None:
        """Leave a section out unless the data are pictures."""
        shape = self.data.shape
        if len(shape) != 3 or shape[2] not in (1, 3):
            raise LeftOut("the data are no pictures")
