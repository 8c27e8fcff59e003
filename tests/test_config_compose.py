"""extends, --set, provenance, and the complete config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dltrain.config import Experiment, dump, from_mapping, load
from dltrain.config.explain import name as explain_name
from dltrain.config.explain import rows
from dltrain.config.shipped import find_shipped, shipped_configs
from dltrain.errors import ConfigError, UsageError

BASE = """\
seed: 7
data:
  source: digits
  split: {stratified: {validation: 0.2, test: 0.1}}
model:
  vars: {width: 16}
  graph:
    hidden: [dense: $width, relu]
    logits: [dense]
optimizer: {adam: {learning_rate: 0.01, beta_1: 0.8}}
metrics: [accuracy, f1]
train: {epochs: 5}
"""


def write(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write(tmp_path, BASE, "base.yaml")


def extended(base: Path, text: str, name: str = "child.yaml") -> Experiment:
    return load(write(base.parent, "extends: base.yaml\n" + text, name))


def refused(path: Path, *sets: str, extra: Any = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, list(sets), extra)
    return str(caught.value)


# extends


def test_maps_merge_and_lists_replace(base: Path) -> None:
    child = extended(base, "seed: 8\nmetrics: [accuracy]\ntrain: {batch_size: 8}\n")
    assert (child.seed, child.train.epochs, child.train.batch_size) == (8, 5, 8)
    assert child.metrics == ["accuracy"]
    assert child.name == "child"


@pytest.mark.parametrize(
    ("written", "rate", "beta"),
    [
        ("adam: {learning_rate: 0.1}", 0.1, 0.8),
        ("adam: 0.1", 0.1, 0.8),
        ("adam: {beta_1: 0.5}", 0.01, 0.5),
    ],
)
def test_parameters_merge_while_the_name_stays(base: Path, written: str, rate: float, beta: float) -> None:
    adam = extended(base, f"optimizer: {{{written}}}\n").optimizer["adam"]
    assert (adam["learning_rate"], adam["beta_1"]) == (rate, beta)


def test_a_bare_name_or_another_name_replaces(base: Path) -> None:
    assert extended(base, "optimizer: adam\n").optimizer["adam"]["learning_rate"] == 0.001
    other = extended(base, "optimizer: {rmsprop: {}}\ndata: {split: random}\n")
    assert list(other.optimizer) == ["rmsprop"]
    assert list(other.data.split) == ["random"]


def test_nested_things_merge_too(base: Path) -> None:
    first = write(
        base.parent,
        "extends: base.yaml\noptimizer: {adam: {learning_rate: {cosine: {learning_rate: 1, length: 9}}}}",
        "first.yaml",
    )
    second = write(
        base.parent, "extends: first.yaml\noptimizer: {adam: {learning_rate: {cosine: {floor: 0.5}}}}", "second.yaml"
    )
    assert first.is_file()
    rate = load(second).optimizer["adam"]["learning_rate"]["cosine"]
    assert (rate["learning_rate"], rate["length"], rate["floor"]) == (1, 9, 0.5)


def test_wires_merge_and_null_takes_one_out(base: Path) -> None:
    child = extended(base, "model: {vars: {width: null}, graph: {hidden: null, logits: [dense: 3, dense]}}\n")
    assert child.model == {"vars": {}, "graph": {"logits": [{"dense": 3}, "dense"]}}


def test_origins_point_into_the_right_file(base: Path) -> None:
    child = extended(base, "train: {batch_size: 8}\n")
    assert str(child.origin("train.epochs")) == f"{base}:12:17"
    assert str(child.origin("train.batch_size")) == f"{base.parent / 'child.yaml'}:2:21"
    assert str(child.origin("train.keep")) == "default"
    assert str(child.origin("name")) == "inferred"


def test_problems_point_into_the_right_file(base: Path) -> None:
    write(base.parent, BASE.replace("epochs: 5", "epochs: no"), "base.yaml")
    text = refused(write(base.parent, "extends: base.yaml\nsed: 1\n", "child.yaml"))
    assert f"{base}:12:17: train.epochs" in text and "child.yaml:2:1: sed" in text
    assert text.index("child.yaml") < text.index("base.yaml:12")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("../base.yaml", "leads out of the folder"),
        ("sub/../../base.yaml", "leads out of the folder"),
        ("/etc/passwd", "leads out of the folder"),
        ("C:\\config.yaml", "leads out of the folder"),
        ("file:///etc/passwd", "leads out of the folder"),
        ("~/base.yaml", "leads out of the folder"),
        ("none.yaml", "there is no such file"),
        ("sub", "there is no such file"),
        ("outside.yaml", "leads out of the folder"),
        ("loop.yaml", "there is no such file"),
        ("x" * 5000, "there is no such file"),
        ("[a.yaml]", "this is not a path"),
        ("child.yaml", "in a circle"),
        ("other.yaml", "in a circle"),
        ("deep0.yaml", "too many files"),
    ],
)
def test_extends_refuses(tmp_path: Path, target: str, said: str) -> None:
    folder = tmp_path / "configs"
    write(tmp_path, BASE, "base.yaml")
    child = write(folder, f"extends: {target}\n", "child.yaml")
    write(folder, "extends: child.yaml\n", "other.yaml")
    write(folder, "", "sub/empty.yaml")
    (folder / "outside.yaml").symlink_to(tmp_path / "base.yaml")
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    for i in range(12):
        write(folder, f"extends: deep{i + 1}.yaml\n", f"deep{i}.yaml")
    text = refused(child)
    assert said in text and ".yaml:1:10: extends" in text


def test_extends_finds_shipped_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "shipped"
    write(shipped, BASE, "tabular/base.yaml")
    for module in ("compose", "shipped"):
        monkeypatch.setattr(f"dltrain.config.{module}.shipped_folder", lambda: shipped)
    assert load(write(tmp_path, "extends: tabular/base.yaml\n", "mine/child.yaml")).seed == 7
    assert list(shipped_configs()) == ["tabular/base"]
    assert find_shipped("base") == find_shipped("tabular/base.yaml") == shipped / "tabular/base.yaml"
    assert find_shipped("none") is None


# --set


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("seed=3", "seed", 3),
        ("train.epochs=1", "train.epochs", 1),
        ("train.time=10 minutes", "train.time", "10 minutes"),
        ("optimizer.adam.learning_rate=1e-3", "optimizer.adam.learning_rate", 0.001),
        ("optimizer.adam=0.5", "optimizer.adam.learning_rate", 0.5),
        ("optimizer.rmsprop.learning_rate=1", "optimizer.rmsprop.learning_rate", 1),
        ("optimizer=gradient_descent", "optimizer.gradient_descent.learning_rate", 0.01),
        ("metrics=[accuracy]", "metrics", ["accuracy"]),
        ("metrics.1.f1.average=macro", "metrics.1.f1.average", "macro"),
        ("metrics.2=precision", "metrics.2.precision.average", "auto"),
        ("hooks.0.early_stopping.patience=3", "hooks.0.early_stopping.patience", 3),
        ("model.vars.width=32", "model.vars.width", 32),
        ("model.graph.hidden.0.dense=4", "model.graph.hidden.0.dense.units", 4),
        ("model.graph.hidden.0.dense.use_bias=false", "model.graph.hidden.0.dense.use_bias", False),
        ("model.graph.logits.0.dense.use_bias=false", "model.graph.logits.0.dense.use_bias", False),
        ("data.split.stratified.test=0.3", "data.split.stratified.test", 0.3),
        ("data.source.digits.images=false", "data.source.digits.images", False),
        ("loss=", "loss", None),
        ("name= a-b ", "name", "a-b"),
    ],
)
def test_set(base: Path, text: str, path: str, value: Any) -> None:
    if "vars.width" not in text and "dense=4" in text:
        base.write_text(BASE.replace("logits: [dense]", "logits: [dense: $width, dense]"), encoding="utf-8")
    experiment = load(base, [text])
    found = {row.path: row.value for row in rows(experiment)}
    assert found[path] == value
    if value not in ("auto", 0.01):
        assert str(experiment.origin(path)) == f"--set {text}"


def test_set_keeps_the_other_parameters(base: Path) -> None:
    experiment = load(base, ["optimizer.adam.learning_rate=1", "optimizer.adam.epsilon=0.5"])
    adam = experiment.optimizer["adam"]
    assert (adam["learning_rate"], adam["beta_1"], adam["epsilon"]) == (1, 0.8, 0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train.epohcs=3", "did you mean 'epochs'?\n       | --set train.epohcs=3\n       |       ^"),
        ("train.epochs=ten", "got the text 'ten'\n       | --set train.epochs=ten\n       |                    ^"),
        ("trian.epochs=3", "did you mean 'train'?"),
        ("model.vars.widht=3", "variable 'widht' is never used"),
        ("optimizer.learning_rate=3", "did you mean 'optimizer.adam.learning_rate'?"),
        ("optimizer.adem.beta_1=3", "did you mean 'adam'?"),
        ("optimizer.adam.beta_1=3", "from 0 up to but not including 1"),
        ("metrics.7=f1", "metrics is a list; expected a position from 0 to 2"),
        ("metrics.first=f1", "metrics is a list"),
        ("train.epochs.x=3", "train.epochs has no parts"),
        ("train.epochs=[1", "not valid YAML"),
        ("train.epochs=!!int 3", "tags are not allowed"),
        ("train.epochs=&a 3", "anchors are not allowed"),
        ("a.b.c.d=3", "there is no key 'a'"),
    ],
)
def test_set_refuses(base: Path, text: str, said: str) -> None:
    message = refused(base, text)
    assert said in message, message
    assert message.startswith(f"--set {text}: ") and message.count("--set") == 2


@pytest.mark.parametrize("text", ["train.epochs", "=3", "a..b=3", ""])
def test_set_without_a_path_or_value_is_a_usage_error(base: Path, text: str) -> None:
    with pytest.raises(UsageError, match="expected path=value"):
        load(base, [text])


def test_all_problems_of_file_and_settings_come_together(base: Path) -> None:
    base.write_text(BASE + "sed: 1\n", encoding="utf-8")
    text = refused(base, "train.epochs=0", "train.keep=0")
    assert [line.split(": ")[1] for line in text.splitlines() if not line.startswith(" ")] == [
        "sed",
        "train.epochs",
        "train.keep",
    ]


def test_extra_changes_by_dotted_path(base: Path) -> None:
    experiment = load(base, ["seed=1"], {"seed": 2, "train.steps": 3, "train": {"epochs": 4, "steps": 9}})
    assert (experiment.seed, experiment.train.epochs, experiment.train.steps) == (2, 4, 9)
    assert str(experiment.origin("seed")) == "command line"
    assert "command line: train.steps: this number" in refused(base, extra={"train.steps": 0})


# The complete config


def test_resolved_is_complete_and_reads_back_equal(base: Path, tmp_path: Path) -> None:
    experiment = load(base)
    assert list(experiment.resolved) == [
        *("name", "seed", "dtype", "task", "data", "model", "init_from", "loss", "metrics"),
        *("optimizer", "regularize", "constrain", "average", "train", "hooks", "waive"),
    ]
    assert experiment.resolved["model"]["graph"]["hidden"][0]["dense"]["use_bias"] is True
    assert "units" not in experiment.resolved["model"]["graph"]["logits"][0]["dense"]
    again = load(write(tmp_path, dump(experiment.resolved), "again.yaml"))
    assert again == experiment and again.resolved == experiment.resolved
    assert from_mapping(experiment.resolved) == experiment
    assert load(base, ["seed=1"]) != experiment


def test_epochs_have_a_default_only_where_nothing_else_ends_the_training(base: Path) -> None:
    base.write_text(BASE.replace("train: {epochs: 5}", ""), encoding="utf-8")
    assert load(base).train.epochs == load(base).resolved["train"]["epochs"] == 10
    limited = load(base, ["train.time=10 minutes"])
    assert limited.train.epochs is None and limited.train.time is not None and limited.train.time.seconds == 600


def test_every_value_has_an_origin(base: Path) -> None:
    experiment = load(base, ["train.keep=3"])
    kinds = {row.path: row.origin.kind for row in rows(experiment)}
    assert set(kinds.values()) == {"file", "command line", "default", "inferred"}
    assert kinds["train.keep"] == "command line"
    assert kinds["model.graph.hidden.0.dense.units"] == "file"
    assert kinds["model.graph.hidden.0.dense.use_bias"] == "default"
    assert kinds["metrics.1.f1.average"] == "default"


@pytest.mark.parametrize(
    ("file", "name"),
    [("a b.yaml", "a-b"), ("ü.yaml", "experiment"), ("x.v2.yaml", "x.v2"), (f"{'y' * 90}.yaml", "y" * 64)],
)
def test_names_come_from_the_file(tmp_path: Path, file: str, name: str) -> None:
    assert load(write(tmp_path, BASE, file)).name == name


# explain


def test_explain_a_name() -> None:
    (dropout,) = explain_name("dropout")
    assert dropout.kind == "layer" and dropout.parameters[0].default is None
    assert {description.kind for description in explain_name("mean_squared_error")} == {"loss", "metric"}
    (train,) = explain_name("train")
    keep = next(parameter for parameter in train.parameters if parameter.name == "keep")
    assert (keep.type, keep.default) == ("a whole number of at least 2", "2")


def test_explain_an_unknown_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'dropout'"):
        explain_name("droput")
