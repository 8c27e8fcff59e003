"""The commands that train, measure and compare: a whole story on a small data set."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dltrain import registry
from dltrain.cli import training
from dltrain.cli.main import run

SMALL = ["iris-softmax", "--set", "dtype=float64", "--set", "train.epochs=3"]
FIT_KEYS = {"run", "name", "epochs", "steps", "seconds", "stopped", "metrics", "best"}


def call(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> tuple[str, str]:
    """Run a command; returns what it wrote to standard output and to standard error."""
    assert run(arguments) == code, capsys.readouterr().err
    captured = capsys.readouterr()
    return captured.out, captured.err


def promised(command: str) -> set[str]:
    """The keys that docs/json.md promises for a command."""
    page = Path(__file__).parent.parent / "docs" / "json.md"
    row = next(r for r in page.read_text(encoding="utf-8").splitlines() if r.startswith("|") and f"`{command}`" in r)
    return set(re.findall(r"`(\w+)`", row.split("|")[2]))


@pytest.fixture
def story(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A trained run in ./runs, and what fit said about it."""
    monkeypatch.chdir(tmp_path)
    out, err = call(["fit", *SMALL, "--json"], capsys)
    assert len(err.splitlines()) == 3  # one line an epoch
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_fit(story: dict[str, Any]) -> None:
    assert set(story) == FIT_KEYS == promised("fit")
    assert story["stopped"] == "epochs"
    assert story["epochs"] == 3
    assert set(story["metrics"]) == {"train", "validation"}
    assert set(story["best"]) == {"epoch", "step", "metric", "value"}
    assert Path(story["run"]).is_dir()
    assert story["name"] == "iris-softmax-1"


def test_fit_for_human_eyes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out, err = call(["fit", *SMALL, "--name", "flowers", "--runs", "else where", "--seed", "7"], capsys)
    assert not err
    lines = out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["1/3", "2/3", "3/3"]
    assert "train.loss" in lines[0]
    assert "validation.accuracy" in lines[0]
    assert any(line.startswith("test     loss ") for line in lines)
    assert any("dltrain evaluate 'else where/flowers-1'" in line for line in lines)
    assert (tmp_path / "else where" / "flowers-1").is_dir()


def test_evaluate(story: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    out, err = call(["evaluate", "iris-softmax", "--json"], capsys)
    found = json.loads(out)
    assert not err
    assert set(found) == promised("evaluate")
    assert set(found) == {
        *("run", "checkpoint", "members", "decision", "split", "samples", "metrics", "naive", "per_class"),
        *("confusion", "heads"),
    }
    assert found["samples"] == 30
    assert sum(map(sum, found["confusion"])) == 30
    out, _ = call(["evaluate", "iris-softmax", "--split", "validation", "--checkpoint", "last"], capsys)
    assert "setosa" in out
    assert "true \\ said" in out
    out, _ = call(["evaluate", "iris-softmax", "--split", "validation", "--checkpoint", "last", "--json"], capsys)
    assert json.loads(out)["metrics"]["loss"] == pytest.approx(story["metrics"]["validation"]["loss"])
    text, err = call(["evaluate", "iris-softmax", "--checkpoint", "77"], capsys, code=2)
    assert "best, last" in err


def test_predict(story: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("new.npy", np.array([[5.0, 3.4, 1.5, 0.2], [6.5, 3.0, 5.5, 2.0]]))
    out, err = call(["predict", "iris-softmax", "new.npy", "--json"], capsys)
    found = json.loads(out)
    assert not err
    assert set(found) == promised("predict")
    assert found["samples"] == 2
    assert [p["label"] for p in found["predictions"]] == ["setosa", "virginica"]
    assert sum(found["predictions"][0]["probabilities"].values()) == pytest.approx(1)
    out, _ = call(["predict", "iris-softmax", "new.npy"], capsys)
    assert "virginica" in out
    call(["predict", "iris-softmax", "new.npy", "new.npy", "--out", "said.csv"], capsys)
    with open("said.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[0]["label"] == "setosa"
    assert float(rows[0]["probability_setosa"]) == found["predictions"][0]["probabilities"]["setosa"]
    call(["predict", "iris-softmax", "new.npy", "--out", "said.json"], capsys)
    assert json.loads(Path("said.json").read_text())["predictions"] == found["predictions"]


def test_gradcheck(story: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    for subject in ("iris-softmax-1", "moons-mlp"):
        out, _ = call(["gradcheck", subject, "--json"], capsys)
        found = json.loads(out)
        assert set(found) == promised("gradcheck") == {"passed", "max_error", "tensors"}
        assert found["passed"]
        assert all(set(tensor) == {"path", "shape", "error", "checked"} for tensor in found["tensors"])
        errors = [tensor["error"] for tensor in found["tensors"]]
        assert errors == sorted(errors, reverse=True)
    out, _ = call(["gradcheck", "moons-mlp", "--worst", "2"], capsys)
    assert len([line for line in out.splitlines() if line.startswith(("logit", "inputs"))]) == 2
    assert "passed" in out


def test_gradcheck_exits_with_3_where_a_gradient_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.py").write_text(
        "from dltrain.layers.base import Layer\n"
        "from dltrain.registry import register\n\n"
        "@register('layer', 'almost_double')\n"
        "class AlmostDouble(Layer):\n"
        "    '''y = 2 x, with a gradient that is off by 1 %.'''\n\n"
        "    def build(self, *shapes):\n        return shapes[0]\n\n"
        "    def forward(self, mode, *inputs):\n        return 2 * inputs[0], lambda dy: 2.02 * dy\n"
    )
    monkeypatch.setitem(registry._entries, "layer", dict(registry.entries("layer")))  # forget it again afterwards
    sets = ["--set", "model.graph.logit=[dense: 4, almost_double, dense]", "--plugin", "wrong.py"]
    out, _ = call(["gradcheck", "moons-mlp", *sets, "--json"], capsys, code=3)
    assert json.loads(out)["passed"] is False


def test_check(story: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    out, err = call(["check", "residual-digits", "--set", "dtype=float64", "--json"], capsys)
    found = json.loads(out)
    assert not err
    assert set(found) == promised("check") == {"layers", "parameters", "frozen", "macs", "memory_bytes"}
    assert all(set(row) == {"path", "kind", "output_shape", "parameters", "macs"} for row in found["layers"])
    assert found["parameters"] == sum(row["parameters"] for row in found["layers"])
    out, _ = call(["check", "moons-mlp", "--set", "dtype=float64"], capsys)
    assert "logit.2.dense" in out
    assert max(map(len, out.splitlines())) <= 110


def test_runs(story: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(["fit", *SMALL, "--seed", "1", "--json"], capsys)
    out, _ = call(["runs", "ls", "--json"], capsys)
    assert [row["name"] for row in json.loads(out)["runs"]] == ["iris-softmax-1", "iris-softmax-2"]
    out, _ = call(["runs", "ls"], capsys)
    assert "iris-softmax-2" in out
    out, _ = call(["runs", "show", "iris-softmax-1", "--json"], capsys)
    assert len(json.loads(out)["metrics"]) == 3
    assert set(json.loads(out)) == promised("runs show")
    out, _ = call(["runs", "show", "iris-softmax-1"], capsys)
    assert "whole" in out
    out, _ = call(["runs", "diff", "iris-softmax-1", "iris-softmax-2", "--json"], capsys)
    assert {"path": "seed", "first": 0, "second": 1} in json.loads(out)["config"]
    assert set(json.loads(out)) == promised("runs diff")
    out, _ = call(["runs", "diff", "iris-softmax-1", "iris-softmax-2"], capsys)
    assert "seed" in out
    _, err = call(["runs", "rm", "iris-softmax-1"], capsys, code=2)
    assert "--yes" in err
    assert Path("runs/iris-softmax-1").is_dir()
    out, _ = call(["runs", "rm", "iris-softmax-1", "--yes", "--json"], capsys)
    assert [Path(path).name for path in json.loads(out)["removed"]] == ["iris-softmax-1"]
    assert not Path("runs/iris-softmax-1").exists()


def test_resume_by_option_goes_on_with_the_newest_run(
    story: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = call(["fit", *SMALL, "--resume", "--json"], capsys)
    again = json.loads(out)
    assert again["run"] == story["run"]
    assert again["best"] == story["best"]
    out, _ = call(["resume", "iris-softmax", "--json"], capsys)
    assert set(json.loads(out)) == FIT_KEYS


def test_fast_dev_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out, _ = call(["fit", *SMALL, "--fast-dev-run", "--json"], capsys)
    assert 1 <= json.loads(out)["steps"] <= 5


def test_ctrl_c_saves_and_resume_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "dltrain", "fit", *SMALL[:3], "--set", "train.epochs=100000", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for _ in range(3):
            process.stderr.readline()
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        out, err = process.communicate(timeout=60)
        assert time.monotonic() - started < 10
    assert process.returncode == 130
    assert "Traceback" not in err
    assert json.loads(out)["stopped"] == "signal"
    run_folder = json.loads(out)["run"]
    resume = [sys.executable, "-m", "dltrain", "resume", run_folder]
    with subprocess.Popen(resume, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert int(first.split()[1].split("/")[0]) > 3
    assert "dltrain resume" in out


def test_the_next_commands_are_those_that_make_sense() -> None:
    summary = {"run": "runs/a-1", "stopped": "signal", "epochs": 1, "steps": 2, "seconds": 3.0, "best": None}
    assert "dltrain resume runs/a-1" in training.text(summary)
    assert "dltrain resume" not in training.text({**summary, "stopped": "epochs"})
    assert "1 epoch, 2 steps" in training.text(summary)
    assert "dltrain evaluate runs/a-1 --plugin 'my layers.py' " in training.text(summary, ["my layers.py"])
    assert "confused" in training.text({**summary, "metrics": {"train": {"accuracy": 1.0}}})
    assert "confused" not in training.text({**summary, "metrics": {"train": {"r2": 1.0}}})
    measured = {**summary, "metrics": {"train": {"accuracy": 1.0}, "validation": {"accuracy": 0.9}}}
    assert "dltrain errors runs/a-1" in training.text(measured) and "dltrain diagnose runs/a-1" in training.text(
        measured
    )
    assert "dltrain errors" not in training.text({**summary, "metrics": {"train": {"accuracy": 1.0}}})
    assert "dltrain diagnose" not in training.text({**summary, "metrics": {"train": {"perplexity": 2.0}}})
    assert "dltrain show" not in training.text(measured)
    assert "dltrain show saliency runs/a-1" in training.text({**measured, "pictures": True})


def test_a_run_that_is_to_stay_stays(
    story: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    _, err = call(["runs", "rm", "iris-softmax-1"], capsys, code=1)
    assert err == "nothing was removed\n"
    assert Path("runs/iris-softmax-1").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_mnist(seed: int, tmp_path: Path, data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """784-256-128-10 with dropout and Adam."""
    call(["fit", "mnist-mlp", "--runs", str(tmp_path), "--seed", str(seed), "--json"], capsys)
    out, _ = call(["evaluate", "mnist-mlp", "--runs", str(tmp_path), "--json"], capsys)
    assert json.loads(out)["metrics"]["accuracy"] >= 0.983


def test_digits(tmp_path: Path) -> None:
    """The README's first command, in a process of its own, with one thread for the sake of its neighbours."""
    fit = [sys.executable, "-m", "dltrain", "fit", "digits-mlp", "--runs", str(tmp_path), "--threads", "1"]
    done = subprocess.run(fit, capture_output=True, text=True, check=True)
    test = next(line for line in done.stdout.splitlines() if line.startswith("test"))
    assert float(test.partition("accuracy ")[2].partition(",")[0]) >= 0.975
    assert "dltrain evaluate" in done.stdout


@pytest.mark.parametrize("change", ["data.source.csv.path=bad.csv", "model.graph.logits=[dense: 5]"])
def test_a_fit_that_fails_before_its_first_step_leaves_no_run(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text("a,k\n" + "".join(f"{i}.5,{i % 2}\n" for i in range(40)))
    Path("bad.csv").write_text("a,k\n" + "".join(f"{i}.5,{i % 2}\n" for i in range(40)) + "oh,1\n")
    Path("c.yaml").write_text(
        "data: {source: {csv: {path: good.csv}}}\nmodel: {graph: {logits: [dense]}}\ntrain: {epochs: 1}\n"
    )
    call(["fit", "c.yaml", "--json"], capsys)
    assert run(["fit", "c.yaml", "--set", change]) in (2, 3)
    capsys.readouterr()
    assert [path.name for path in Path("runs").iterdir()] == ["c-1"]
    out, _ = call(["evaluate", "c", "--split", "train", "--json"], capsys)
    assert json.loads(out)["run"].endswith("c-1")
