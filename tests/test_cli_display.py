"""What is shown while it trains."""

from __future__ import annotations

import io
import re
import timeit
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from dltrain.cli.display import LiveProgress, PlainProgress, columns, display
from dltrain.cli.meter import Meter
from dltrain.training.progress import SilentProgress
from dltrain.training.triggers import Now

NAMES = ["loss", "accuracy", "f1"]
HEADERS = "epoch loss val loss accuracy val accuracy f1 val f1 rate samples/s left"


def train(shown: Any, epochs: int = 4, steps: int = 10, seconds: float = 0.05) -> None:
    """A training without arithmetic: every step takes this long."""
    shown.start(epochs, epochs * steps, steps, NAMES)
    for step in range(1, epochs * steps + 1):
        epoch, index = divmod(step - 1, steps)
        now = Now(epoch + (index == steps - 1), step, index == steps - 1, step * seconds)
        tally = SimpleNamespace(count=32 * (index + 1), results=lambda: {"loss": 0.5, "accuracy": 0.9})
        if now.seconds >= shown.next_poll:
            shown.step(now, tally, 0.001)
        if now.epoch_end:
            part = {"loss": 1 / (epoch + 1), "accuracy": 0.9, "f1": 0.8}
            record = {"epoch": now.epoch, "step": step, "learning_rate": 0.001, "train": part, "validation": part}
            shown.evaluated(record, now.seconds)
    shown.finish({})
    shown.close()


def live(width: int, height: int = 24, **options: Any) -> tuple[str, LiveProgress]:
    """All that a terminal of this size received."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, height=height, **options)
    shown = LiveProgress(console)
    train(shown)
    return stream.getvalue(), shown


def last_picture(text: str) -> list[str]:
    """The lines that stay on the screen."""
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    return [line.strip() for line in plain.replace("\r", "\n").split("\n") if line.strip()][-6:]


def test_plain_lines() -> None:
    stream = io.StringIO()
    train(PlainProgress(stream))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("epoch 2/4  train.loss 0.5000  train.accuracy 0.9000  train.f1 0.8000  validation.loss")
    assert "640 samples/s" in lines[1]
    assert lines[1].endswith("1 s left")
    assert "left" not in lines[3]


def test_live_table_at_a_comfortable_width() -> None:
    text, _ = live(100)
    header, *rows = last_picture(text)
    assert header.split() == HEADERS.split()
    assert [row.split()[0] for row in rows[1:]] == ["1/4", "2/4", "3/4", "4/4"]
    assert "━" in text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_live_table_fits_every_width(width: int) -> None:
    text, _ = live(width, color_system=None)
    assert all(len(line) <= width for line in last_picture(text))
    assert last_picture(text)[0].split()[0] == "epoch"
    assert "…" not in text


def test_narrow_terminals_keep_what_matters() -> None:
    assert [c.key for c in columns(NAMES, 40)][:3] == ["epoch", "train.loss", "validation.loss"]
    assert [c.key for c in columns(NAMES, 10)] == ["epoch"]
    assert {"left", "speed", "learning_rate"} <= {c.key for c in columns(NAMES, 100)}


def test_low_terminals_show_the_newest_rows() -> None:
    text, _ = live(100, height=8)
    assert [row.split()[0] for row in last_picture(text)][-2:] == ["3/4", "4/4"]


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38)[;m]")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colour.search(live(100)[0])
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour.search(live(100)[0])


def test_a_terminal_is_needed_for_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert isinstance(display(False), PlainProgress)
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(display(True), LiveProgress)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(display(True), PlainProgress)


def test_pictures_are_rare() -> None:
    stream = io.StringIO()
    shown = LiveProgress(Console(file=stream, force_terminal=True, width=80))
    pictures = 0
    original = shown.live.update

    def update(*arguments: Any, **options: Any) -> None:
        nonlocal pictures
        pictures += 1
        original(*arguments, **options)

    shown.live.update = update  # type: ignore[method-assign]
    train(shown, epochs=50, steps=20, seconds=0.001)  # one second of training
    assert pictures <= 12


@pytest.mark.parametrize("shown", [SilentProgress(), PlainProgress(io.StringIO())])
def test_a_step_without_news_costs_nothing(shown: Any) -> None:
    shown.next_poll = max(shown.next_poll, 10.0)
    best = min(timeit.repeat("1.0 >= shown.next_poll", globals={"shown": shown}, number=10_000, repeat=5))
    assert best / 10_000 < 1e-6


def test_time_left_by_steps_and_by_time() -> None:
    meter = Meter()
    meter.start(None, 100, 10, None)
    assert meter.left is None
    meter.at(0, 0.0)
    meter.at(20, 2.0)
    assert meter.left == pytest.approx(8.0)
    assert meter.share == 0.2
    meter.start(None, 100, 10, 4.0)
    assert meter.left == pytest.approx(2.0)
    assert meter.share == 0.5


def test_speed_after_a_resume_counts_from_the_resume() -> None:
    meter = Meter()
    meter.start(None, 1000, 10, None)
    meter.at(500, 100.0)
    meter.at(600, 101.0)
    meter.count(605, 160)
    assert meter.steps_per_second == pytest.approx(100)
    assert meter.samples_per_second == pytest.approx(3200)


def test_speed_forgets_what_compiles() -> None:
    meter = Meter()
    meter.start(None, 1000, 100, None)
    meter.at(1, 20.0)  # the first step compiles
    meter.at(80, 20.79)
    meter.evaluation(100, 30.0)  # so does the first evaluation
    assert meter.steps_per_second == pytest.approx(100)
    for epoch in range(2, 5):
        meter.evaluation(100 * epoch, 30.0 + epoch - 1)
        assert meter.steps_per_second == pytest.approx(100)
    assert meter.left == pytest.approx(6)


def test_messages_are_not_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    PlainProgress(stream).message("stopping after this step")
    assert not stream.getvalue()
    assert capsys.readouterr().err == "stopping after this step\n"
