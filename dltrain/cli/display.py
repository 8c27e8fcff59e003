"""Shows a training run: one live table in a terminal, one plain line per evaluation elsewhere."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from dltrain.cli.meter import Meter
from dltrain.cli.output import console, duration, note, number, rate

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType
    from rich.table import Table

    from dltrain.tasks import Tally
    from dltrain.training.triggers import Now

PERIOD = 0.1  # seconds between two pictures
ROWS = 12  # of the live table, where the terminal is high enough
MARGIN = 6  # lines of the terminal that the table leaves free


def display(as_json: bool) -> LiveProgress | PlainProgress:
    """The display that suits the output: standard error where standard output is kept for JSON."""
    stream = sys.stderr if as_json else sys.stdout
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return LiveProgress(console(stream))
    return PlainProgress(stream)


class PlainProgress:
    """One line per evaluation.

    Parameters:
        stream: where to
    """

    next_poll = 0.0

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.meter = stream, Meter()

    def start(
        self,
        total_epochs: int | None,
        total_steps: int | None,
        steps_per_epoch: int,
        metric_names: list[str],
        total_seconds: float | None = None,
    ) -> None:
        """Remember the limits."""
        self.meter.start(total_epochs, total_steps, steps_per_epoch, total_seconds)

    def step(self, now: Now, tally: Tally, learning_rate: float) -> None:
        """Measure the speed."""
        self.meter.at(now.step, now.seconds)
        self.meter.count(now.step, tally.count)
        self.next_poll = now.seconds + 1.0

    def evaluated(self, record: dict[str, Any], seconds: float) -> None:
        """Write the line."""
        meter = self.meter
        meter.evaluation(record["step"], seconds)
        parts = [f"epoch {meter.epoch(record['epoch'])}"]
        if "train" not in record:
            parts.append(f"step {record['step']}")
        for part, values in record.items():
            if isinstance(values, dict):
                parts += [f"{part}.{name} {number(value)}" for name, value in values.items()]
        if record["learning_rate"] is not None:  # a baseline has none
            parts.append(f"learning_rate {rate(record['learning_rate'])}")
        if meter.samples_per_second:
            parts.append(f"{meter.samples_per_second:.0f} samples/s")
        if meter.left is not None and meter.share < 1:
            parts.append(f"{duration(meter.left)} left")
        self._write("  ".join(parts))

    def message(self, text: str) -> None:
        """Write it to standard error: it is not the result."""
        note(text)

    def finish(self, summary: dict[str, Any]) -> None:
        """Nothing: the command prints the result."""

    def close(self) -> None:
        """Nothing."""

    def _write(self, line: str) -> None:
        self.stream.write(line + "\n")
        self.stream.flush()


class Column(NamedTuple):
    """A column of the live table: its header, how wide it is, and how soon it goes where there is no room (0 last)."""

    key: str
    header: str
    width: int
    rank: int


def columns(metric_names: list[str], width: int) -> list[Column]:
    """The columns that fit into a terminal.

    Parameters:
        metric_names: what is measured, the loss first
        width: of the terminal

    Example:
        >>> [column.key for column in columns(["loss", "accuracy"], 40)]
        ['epoch', 'train.loss', 'validation.loss', 'validation.accuracy']
        >>> len(columns(["loss", "accuracy"], 100))
        8
    """
    wanted = [Column("epoch", "epoch", 7, 0)]
    for position, name in enumerate(metric_names):
        for part, rank in (("train", 1 if position == 0 else 7 + position), ("validation", 1 + position)):
            header = ("val " if part == "validation" else "") + name
            wanted.append(Column(f"{part}.{name}", header, max(7, len(header)), rank))
    wanted.append(Column("learning_rate", "rate", 8, 6))
    wanted.append(Column("speed", "samples/s", 9, 5))
    wanted.append(Column("left", "left", 7, 4))
    while len(wanted) > 1 and sum(column.width + 2 for column in wanted) - 2 > width:
        wanted.remove(max(wanted, key=lambda column: column.rank))
    return wanted


class LiveProgress:
    """One live table and a progress bar.

    Parameters:
        console: of the terminal
    """

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self.console, self.meter, self.next_poll = console, Meter(), 0.0
        self.columns: list[Column] = []
        self.rows: list[dict[str, str]] = []
        self.current: dict[str, str] | None = None  # the epoch that is under way
        self.live = Live(console=console, auto_refresh=False, transient=False, redirect_stdout=False)
        self.names: list[str] = []
        self.shown = -math.inf
        self.done = False

    def start(
        self,
        total_epochs: int | None,
        total_steps: int | None,
        steps_per_epoch: int,
        metric_names: list[str],
        total_seconds: float | None = None,
    ) -> None:
        """Open the table."""
        self.meter.start(total_epochs, total_steps, steps_per_epoch, total_seconds)
        self.names = metric_names
        self.live.start()

    def step(self, now: Now, tally: Tally, learning_rate: float) -> None:
        """The row of the epoch that is under way."""
        self.meter.at(now.step, now.seconds)
        self.meter.count(now.step, tally.count)
        self.next_poll = now.seconds + PERIOD
        epoch = now.epoch if now.epoch_end else now.epoch + 1
        self.current = self._row(epoch, {"train": tally.results()}, learning_rate)
        self._refresh(now.seconds)

    def evaluated(self, record: dict[str, Any], seconds: float) -> None:
        """A finished row."""
        self.meter.evaluation(record["step"], seconds)
        epoch = record["epoch"] if "train" in record else record["epoch"] + 1
        self.rows.append(self._row(epoch, record, record["learning_rate"]))
        del self.rows[:-ROWS]
        self.current = None
        self._refresh(seconds)

    def message(self, text: str) -> None:
        """A line above the table, or on standard error where that is not the same terminal."""
        if sys.stderr.isatty():
            self.console.print(text)
        else:
            note(text)

    def finish(self, summary: dict[str, Any]) -> None:
        """Leave the last state of the table on the screen."""
        self.done, self.current = True, None
        self.live.update(self._picture(), refresh=True)
        self.live.stop()

    def close(self) -> None:
        """Give the terminal back, also after an error."""
        self.live.stop()

    def _row(self, epoch: int, record: Mapping[str, Any], learning_rate: float) -> dict[str, str]:
        meter = self.meter
        cells = {"epoch": meter.epoch(epoch), "learning_rate": rate(learning_rate)}
        for part in ("train", "validation"):
            cells |= {f"{part}.{name}": number(value) for name, value in record.get(part, {}).items()}
        if meter.samples_per_second:
            cells["speed"] = f"{meter.samples_per_second:.0f}"
        if meter.left is not None:
            cells["left"] = duration(meter.left)
        return cells

    def _refresh(self, seconds: float) -> None:
        if seconds - self.shown >= PERIOD or seconds < self.shown:
            self.shown = seconds
            self.live.update(self._picture(), refresh=True)

    def _picture(self) -> Group:
        from rich.console import Group

        parts: list[RenderableType] = [self._table()]
        if not self.done:
            parts.append(self._bar())
        return Group(*parts)

    def _table(self) -> Table:
        from rich import box
        from rich.table import Table

        made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        shown = columns(self.names, self.console.width)
        for column in shown:
            made.add_column(column.header, justify="right", no_wrap=True, min_width=column.width)
        rows = self.rows[-max(1, min(ROWS, self.console.height - MARGIN)) :]
        for row in rows:
            made.add_row(*(row.get(column.key, "") for column in shown))
        if self.current is not None:
            made.add_row(*(self.current.get(column.key, "") for column in shown), style="dim")
        return made

    def _bar(self) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        meter = self.meter
        text = f"{meter.share:4.0%}" if meter.total_steps or meter.total_seconds else f"step {meter.step}"
        if meter.left is not None:
            text += f"  {duration(meter.left)} left"
        grid = Table.grid(padding=(0, 1))
        width = max(5, min(60, self.console.width - len(text) - 2))
        grid.add_row(ProgressBar(total=1.0, completed=meter.share, width=width), text)
        return grid
