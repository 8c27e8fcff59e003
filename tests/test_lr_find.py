"""The range test of the learning rate: what it finds, that it leaves nothing behind, and how it is written back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from small_runs import iris

from dltrain import api
from dltrain.cli.main import run
from dltrain.config import from_mapping, load
from dltrain.config.shipped import shipped_configs
from dltrain.errors import DltrainError, NumericsError, UsageError
from dltrain.training.journal import NoJournal
from dltrain.training.progress import SilentProgress
from dltrain.training.rate_finder import Ramp, ramp, rate_path
from dltrain.training.session import Session, prepare


def trainer_of(config: dict[str, Any], steps: int) -> Any:
    """A trainer that has done some steps."""
    trainer = prepare(from_mapping(config)).trainer(NoJournal(), SilentProgress())
    for _ in range(steps):
        trainer.advance()
    return trainer


def state(trainer: Any) -> tuple[dict[str, bytes], Any]:
    arrays, meta = trainer.state()
    return {name: np.asarray(value).tobytes() for name, value in arrays.items()}, meta


@pytest.mark.parametrize("high", [1.0, 1e30])
def test_nothing_is_left_behind(high: float) -> None:
    """In the middle of an epoch, with an average of the weights, running statistics, dropout and early stopping."""
    config = iris(average="ema", dtype="float64")
    trainer, undisturbed = trainer_of(config, 10), trainer_of(config, 10)
    before = state(trainer)
    found = ramp(trainer, high=high)
    assert state(trainer) == before and len(found.rates) > 20
    for each in (trainer, undisturbed):
        for _ in range(8):
            each.advance()
    assert state(trainer) == state(undisturbed)


def test_the_rate_lies_below_the_lowest_loss() -> None:
    rates = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    found = Ramp(rates, [2.0, 1.5, 1.0, 1.2, 9.0], [2.0, 1.5, 1.0, 1.2, 9.0], "it rose")
    assert found.suggestion() == (1e-3, "a tenth of 0.01, at which the average of the loss was lowest; it rose")
    with pytest.raises(NumericsError, match="the loss falls at no learning rate"):
        Ramp(rates, [1.0] * 5, [1.0, 1.0, 0.99, 1.5, 4.5], "it rose").suggestion()
    assert rate_path({"sgd": {"learning_rate": {"piecewise": {"values": [1, 2]}}}}) is None


def converges(config: Any) -> None:
    """With the rate that is found, the loss falls over three epochs, and some tens of steps.

    Raises:
        AssertionError: when it does not.
    """
    found = api.lr_find(config)
    experiment = api.load_experiment(config, extra={found["path"]: found["learning_rate"]})
    trainer = prepare(experiment).trainer(NoJournal(), SilentProgress())
    first = None
    for _ in range(max(50, min(3 * trainer.loader.steps_per_epoch, 200))):
        trainer.train_step()
        if trainer.index == trainer.loader.steps_per_epoch:
            trainer.epoch, trainer.index = trainer.epoch + 1, 0
        loss = trainer.tally.results()["loss"]
        first = loss if first is None else first
        trainer.tally.reset()
    assert np.isfinite(loss) and loss < first


@pytest.mark.parametrize("name", ["digits-mlp", "iris-softmax", "moons-mlp", "spirals-mlp", "diabetes-regression"])
def test_training_converges_from_it(name: str) -> None:
    converges(next(path for key, path in shipped_configs().items() if key.endswith("/" + name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", [key for key in shipped_configs() if not key.startswith("architectures/")])
def test_training_converges_on_every_shipped_config(name: str) -> None:
    path = shipped_configs()[name]
    try:
        session = prepare(load(path))
    except DltrainError as error:
        pytest.skip(f"its data are not here: {error}")
    if not isinstance(session, Session) or rate_path(session.experiment.optimizer) is None:
        pytest.skip("it has no single learning rate")
    converges(path)


WRITTEN = {
    "optimizer: {sgd: {learning_rate: 0.1}}   # mine": "{learning_rate: NEW}}   # mine  # lr-find: ",
    "optimizer: adam": "optimizer: {adam: {learning_rate: NEW}}  # lr-find: ",
    "optimizer: {adam: {learning_rate: {cosine: {learning_rate: 1e-3}}}}": "{learning_rate: NEW}}}}  # lr-find: ",
    "optimizer:\n  adam:\n    learning_rate: 1e-3\n    beta_1: 0.8": "    learning_rate: NEW  # lr-find: ",
    "optimizer: {sgd: 0.1}": "optimizer: {sgd: NEW}  # lr-find: ",
}
START = """# a config
data: {source: iris, split: {stratified: {validation: 0.2, test: 0.2}}}
model: {graph: {y: [dense]}}
"""


@pytest.mark.parametrize("text", WRITTEN)
def test_the_rate_is_written_into_the_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(START + text.replace("sgd", "gradient_descent") + "\ntrain: {epochs: 2}  # short\n")
    found = api.lr_find(path, apply=True)
    written = path.read_text()
    wanted = WRITTEN[text].replace("sgd", "gradient_descent").replace("NEW", repr(found["learning_rate"]))
    assert wanted in written and written.startswith(START) and written.endswith("\ntrain: {epochs: 2}  # short\n")
    assert wanted in written.splitlines()[found["line"] - 1]
    again = api.lr_find(path, apply=True)
    assert path.read_text() == written and again["learning_rate"] == found["learning_rate"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["seed: 3", "optimizer: {adam: {beta_1: 0.8}}", "extends: other.yaml"])
def test_a_rate_that_is_not_there_is_not_written(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    (tmp_path / "other.yaml").write_text("optimizer: {adam: {learning_rate: 0.1}}\n")
    path.write_text(START + text + "\n")
    with pytest.raises(UsageError, match="yourself"):
        api.lr_find(path, apply=True)
    assert path.read_text() == START + text + "\n" and len(list(tmp_path.iterdir())) == 2


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["lr-find", "iris-softmax", "--svg", "curve.svg", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"learning_rate", "reason", "path", "rates", "losses", "smooth", "line"}
    assert ElementTree.fromstring((tmp_path / "curve.svg").read_text()).tag.endswith("svg")
    assert run(["lr-find", "iris-softmax"]) == 0
    assert f"--set {found['path']}={found['learning_rate']:g}" in capsys.readouterr().out
    for words, said in (
        (["iris-softmax", "--apply"], "`dltrain init iris-softmax` copies it"),
        (["iris-baseline"], "a baseline has no learning rate"),
        (["iris-softmax", "--low", "2", "--high", "1"], "these rates do not rise"),
        (["iris-softmax", "--svg", "curve.png"], "a name that ends in .svg"),
    ):
        assert run(["lr-find", *words]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_loss_that_is_no_number_from_the_start() -> None:
    broken = {"graph": {"logits": ["dense"]}, "init": {"constant": 1e38}}
    with pytest.raises(NumericsError, match=r"not finite at the first step.*dltrain doctor"):
        api.lr_find({"data": {"source": "iris"}, "model": broken})
