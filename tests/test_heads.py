"""Several heads, many labels, ignored labels, weights and goals, from a file to a trained run and back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checks import PoisonedArena
from data_files import loaded
from small_models import heads_case
from small_runs import StopAt, iris, result

from dltrain import api
from dltrain.cli.predict import as_csv
from dltrain.config import from_mapping
from dltrain.data import DataFolders
from dltrain.errors import ConfigError, DataError, UsageError
from dltrain.model.mode import Mode
from dltrain.registry import create
from dltrain.training.differentiable import LossOfModel
from dltrain.training.gradient_check import check_gradients, suspects
from dltrain.training.trained import load_run
from dltrain.types import Need


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 samples of two features, with a kind in words, a number, sets of tags and a weight."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "a.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["x1", "x2", "kind", "size", "big", "red", "tags", "w"])
        for row, (a, b) in enumerate(rng.standard_normal((120, 2)).tolist()):
            kind = "unknown" if row % 10 == 9 else ("left" if a < -0.4 else "right" if a > 0.4 else "middle")
            tags = ";".join(["up"] * (b > 0) + ["far"] * (a * a + b * b > 1)) or ";"
            line = [f"{a:.4f}", f"{b:.4f}", kind, f"{3 * a + b:.4f}", int(b > 1), int(a > 0), tags, 1 + row % 3]
            writer.writerow(line)
    return path


@pytest.fixture(autouse=True)
def beside(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths of data start beside the table."""
    monkeypatch.chdir(table.parent)


def config(table: Path, **changes: Any) -> dict[str, Any]:
    """Three heads, one of them twice: an auxiliary head with the same target."""
    kinds = {"classification": {"ignore_label": "unknown"}}
    heads = {
        "kind": {
            "task": kinds,
            "target": "kind",
            "metrics": ["accuracy", "roc_auc"],
        },
        "help": {
            "task": kinds,
            "target": "kind",
            "training_only": True,
            "weight": 0.3,
        },
        "size": {"task": "regression", "target": "size", "loss": "mean_absolute_error", "weight": 0.5},
        "flags": {"task": "multi_label", "target": ["big", "red"]},
    }
    base: dict[str, Any] = {
        "name": "heads",
        "data": {
            "source": {
                "csv": {
                    "path": table.name,
                    "features": ["x1", "x2"],
                    "target": ["kind", "size", "big", "red"],
                    "weight": "w",
                }
            }
        },
        "task": {"multi_task": {"heads": heads}},
        "model": {
            "outputs": ["kind", "help", "size", "flags"],
            "graph": {
                "h": [{"dense": 12}, "tanh"],
                "help": ["dense"],
                "kind": [{"from": "h"}, {"dense": 8}, "relu", {"dropout": 0.1}, "dense"],
                "size": [{"from": "h"}, "dense"],
                "flags": [{"from": "h"}, "dense"],
            },
        },
        "optimizer": {"adam": 0.03},
        "train": {"epochs": 12, "batch_size": 16},
    }
    return base | changes


def test_heads_learn_are_measured_and_predict(table: Path, tmp_path: Path) -> None:
    summary = api.fit(config(table), runs=tmp_path)
    train, validation = summary["metrics"]["train"], summary["metrics"]["validation"]
    assert (
        validation["kind.accuracy"] > 0.8 and validation["size.r2"] > 0.9 and validation["flags.subset_accuracy"] > 0.7
    )
    assert "help.accuracy" in train and not any(name.startswith("help") for name in validation)
    assert train["loss"] == pytest.approx(
        train["kind.loss"] + 0.3 * train["help.loss"] + 0.5 * train["size.loss"] + train["flags.loss"]
    )
    found = api.evaluate(summary["run"])
    assert found["metrics"] == summary_of(summary)
    assert set(found["heads"]) == {"kind", "size", "flags"} and found["confusion"] is None
    assert [row["label"] for row in found["heads"]["kind"]["per_class"]] == ["left", "middle", "right"]
    assert [row["label"] for row in found["heads"]["flags"]["per_class"]] == ["big", "red"]
    assert found["heads"]["flags"]["confusion"] is None
    predictions = api.predict(summary["run"], [table])["predictions"]
    assert len(predictions) == 120
    assert set(predictions[0]) == {"kind", "size", "flags"}
    assert set(predictions[0]["kind"]["probabilities"]) == {"left", "middle", "right"}
    header = as_csv(predictions).splitlines()[0]
    assert header.startswith("kind.label,kind.probability_left") and "size.size" in header and "flags.labels" in header
    fresh = api.evaluate(summary["run"], data=table)
    assert fresh["samples"] == 120 and fresh["metrics"]["kind.accuracy"] > 0.8
    json.dumps(found)


def test_a_head_that_only_helps_is_not_computed_where_it_says_nothing(table: Path, tmp_path: Path) -> None:
    """It cost time, and an output of it that was not finite refused a prediction."""
    run = load_run(api.fit(config(table, train={"epochs": 1}), runs=tmp_path)["run"])
    bound, paths = run.session.task, [node.path for node in run.graph.nodes]
    assert bound.wires == ("kind", "help", "size", "flags") and bound.evaluated_wires == ("kind", "size", "flags")
    seen: list[str] = []
    for node in run.graph.nodes:
        node.layer.forward = lambda *a, f=node.layer.forward, p=node.path: (seen.append(p), f(*a))[1]
    predicted = run.predict(np.zeros((3, 2)))
    assert seen == [path for path in paths if not path.startswith("help")] != paths
    run.evaluate()
    assert not any(path.startswith("help") for path in seen)
    outputs, _ = run.graph.forward({wire: np.zeros((3, 2)) for wire in run.graph.inputs})
    assert seen[-len(paths) :] == paths and bound.predict(outputs) == predicted


def test_an_ensemble_of_models_with_heads(table: Path, tmp_path: Path) -> None:
    split = {"random": {"seed": 3}}
    data = config(table)["data"] | {"split": split}
    for name, seed in (("a", 1), ("b", 2)):
        api.fit(config(table, name=name, seed=seed, data=data, train={"epochs": 3}), runs=tmp_path)
    each = [api.predict(name, [table], runs=tmp_path)["predictions"] for name in ("a", "b")]
    both = api.predict(["a", "b"], [table], runs=tmp_path)["predictions"]
    for one, other, mean in zip(*each, both, strict=True):
        for head, key in (("kind", "left"), ("flags", "big")):
            shares = [found[head]["probabilities"][key] for found in (one, other, mean)]
            assert shares[2] == pytest.approx((shares[0] + shares[1]) / 2, rel=1e-5)
        sizes = [found["size"]["size"] for found in (one, other, mean)]
        assert sizes[2] == pytest.approx((sizes[0] + sizes[1]) / 2, rel=1e-4, abs=1e-5)
    found = api.evaluate(["a", "b"], runs=tmp_path)
    assert set(found["heads"]) == {"kind", "size", "flags"} and "kind.accuracy" in found["members"][0]["metrics"]


def test_losses_that_read_outputs_in_other_ways_make_no_ensemble(tmp_path: Path) -> None:
    for loss in ("softmax_cross_entropy", "binary_cross_entropy"):
        api.fit(iris(name=loss[:7], loss=loss, data__split={"random": {"seed": 1}}), runs=tmp_path)
    with pytest.raises(UsageError, match="binary_-1: the losses of an ensemble turn outputs into probabilities alike"):
        api.evaluate(["softmax", "binary_"], runs=tmp_path)


def summary_of(summary: dict[str, Any]) -> dict[str, float]:
    return json.loads((Path(summary["run"]) / "summary.json").read_text())["test"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("step", [1, 5, 6])
def test_heads_resume_byte_for_byte(table: Path, tmp_path: Path, step: int) -> None:
    """The open sums of every head, the kept scores among them, are in the checkpoint."""
    whole = api.fit(config(table, train={"epochs": 2, "batch_size": 16}), runs=tmp_path / "a")
    stopped = api.fit(config(table, train={"epochs": 2, "batch_size": 16}), runs=tmp_path / "b", progress=StopAt(step))
    assert stopped["stopped"] == "signal"
    assert result(api.resume(stopped["run"])["run"]) == result(whole["run"])


def test_heads_pass_the_gradient_check_and_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, batch = heads_case(7, np.random.default_rng(1))
    assert check_gradients(objective, batch).passed
    bound = objective.task.bound["size"]
    forward = bound._loss.forward
    monkeypatch.setattr(bound._loss, "forward", lambda *a: (forward(*a)[0], 1.001 * forward(*a)[1]))
    report = check_gradients(objective, batch)
    assert not report.passed
    assert suspects(LossOfModel(objective, batch, np.float64, 0), "central", 20, 0) == [
        "loss (size: huber, tags: binary_cross_entropy)"
    ]


def test_heads_need_nothing_from_memory_that_has_died() -> None:
    objective, batch = heads_case(7, np.random.default_rng(1), dtype="float64")
    mode = Mode(True, arena=PoisonedArena())
    values = []
    for step in range(4):
        mode.begin(step, len(batch))
        values.append((objective(batch, mode).loss, objective.graph.vector.grad.tobytes()))
    assert len(set(values)) == 1 and np.isfinite(values[0][0])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", [False, True])
def test_micro_batches_add_up_to_the_gradient_of_the_batch(weighted: bool, ignored: bool) -> None:
    """Each head weighs its own samples: those that one ignores may count for another."""
    objective, batch = heads_case(9, np.random.default_rng(1), dtype="float64")
    if ignored:
        objective.task.bound["kind"]._weighing.ignores = objective.task.bound["kind"]._weighing.active = True
        batch.target[[0, 1, 2, 5], 0] = -1  # the first micro-batch has no label to learn from
    batch.weight = np.random.default_rng(2).uniform(0.1, 3, len(batch)) if weighted else None
    gradients = []
    for size in (9, 3, 2):
        value = None
        for piece in batch.pieces(size):
            value = objective(piece, Mode(True), value)
        gradients.append(objective.graph.vector.grad.copy())
    for gradient in gradients[1:]:
        np.testing.assert_allclose(gradient, gradients[0], rtol=1e-10, atol=1e-14)


MISTAKES = [
    ({"loss": "huber"}, "each head has its own `loss`"),
    ({"metrics": ["accuracy"]}, "each head has its own `metrics`"),
    ({"task": {"multi_task": {"heads": {"kind": {"traget": "kind"}}}}}, "did you mean 'target'"),
    ({"task": {"multi_task": {"heads": {"kind": {"target": "kind", "wire": "nowhere"}}}}}, "no output 'nowhere'"),
    ({"task": {"multi_task": {"heads": {"kind": {"target": "kind"}}}}}, "no loss reads the output 'help'"),
    ({"task": {"multi_task": {"heads": {"kind": {"loss": "huber"}}}}}, "does not fit the task classification"),
    ({"train": {"monitor": "validation.kind.acuracy"}}, "validation.kind.accuracy"),
    ({"metrics": {"optimize": "kind.f1"}}, "this is not measured"),
    ({"task": {"multi_task": {"heads": {}}}}, "there are no heads"),
    ({"task": {"multi_task": {"heads": {"kind": None}}}}, "this is not a map"),
    ({"task": {"multi_task": {"heads": {"a.b": {"target": "kind"}}}}}, "no name for a head"),
    ({"task": {"multi_task": {"heads": {"kind": {"metrics": ["accuracy", "accuracy"]}}}}}, "named twice"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_mistakes_are_named(table: Path, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        api.fit(config(table, **changes), runs=tmp_path)
    assert message in str(caught.value)


def test_a_target_that_is_not_there_is_named(table: Path, tmp_path: Path) -> None:
    changed = config(table)
    changed["task"]["multi_task"]["heads"]["size"]["target"] = "weight"
    with pytest.raises(DataError, match=r"no such target.*'size'.*'weight'"):
        api.fit(changed, runs=tmp_path)


def simple(table: Path, task: Any, target: Any, **changes: Any) -> dict[str, Any]:
    return {
        "name": "simple",
        "data": {"source": {"csv": {"path": table.name, "features": ["x1", "x2"], "target": target}}},
        "task": task,
        "model": {"graph": {"y": [{"dense": 12}, "tanh", "dense"]}},
        "optimizer": {"adam": 0.03},
        "train": {"epochs": 15, "batch_size": 16},
    } | changes


def test_many_labels_from_text(table: Path, tmp_path: Path) -> None:
    metrics = ["subset_accuracy", "hamming_loss", {"f1": "micro"}, "roc_auc", "average_precision"]
    summary = api.fit(simple(table, "multi_label", "tags", metrics=metrics), runs=tmp_path)
    measured = summary["metrics"]["validation"]
    assert measured["subset_accuracy"] > 0.6 and measured["f1"] > 0.8 and measured["hamming_loss"] < 0.2
    predictions = api.predict(summary["run"], [table])["predictions"]
    assert set(predictions[0]["probabilities"]) == {"far", "up"}
    for row in predictions:
        assert row["labels"] == [name for name, p in row["probabilities"].items() if p > 0.5]
    assert [row["label"] for row in api.evaluate(summary["run"])["per_class"]] == ["far", "up"]
    assert api.evaluate(summary["run"], data=table)["samples"] == 120


def test_an_empty_entry_is_a_sample_without_labels(tmp_path: Path) -> None:
    """It was refused as a missing target; of one class it is missing, and so is a question mark."""
    rows = [f"{k},{k % 7},{('up', 'far;up', '')[k % 3]}" for k in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["x1,x2,tags", *rows]) + "\n")
    source = {"csv": {"path": "t.csv", "target": "tags"}}
    data = loaded(source, tmp_path, needs=Need("labels"))  # type: ignore[arg-type]
    for part in data.parts.values():
        expected = np.array([[0, 1], [1, 1], [0, 0]])[part.ids % 3]
        np.testing.assert_array_equal(part.columns["y"], expected)
    with pytest.raises(DataError, match=r"t\.csv:4, tags: the target is missing; got ''"):
        loaded(source, tmp_path)
    (tmp_path / "t.csv").write_text("\n".join(["x1,x2,tags", *rows, "1,2,?"]) + "\n")
    with pytest.raises(DataError, match=r"t\.csv:62, tags: the target is missing; got '\?'"):
        loaded(source, tmp_path, needs=Need("labels"))  # type: ignore[arg-type]


def test_labels_are_balanced_by_what_the_training_part_has(table: Path, tmp_path: Path) -> None:
    """As a task of its own and as a head; the counts are stored with the run, so that an evaluation weighs alike."""
    task = {"multi_label": {"class_weight": "balanced"}}
    run = api.load_run(api.fit(simple(table, task, "tags"), runs=tmp_path)["run"])
    run.read_data()
    data = run.session.data
    y = data.parts["train"].columns["y"]
    assert data.label_counts == [[int((column == 0).sum()), int(column.sum())] for column in y.T]
    assert api.evaluate(run.folder.path, data=table)["samples"] == 120
    heads = simple(table, {"multi_task": {"heads": {"tags": {"task": task, "wire": "y"}}}}, "tags")
    both = api.load_run(api.fit(heads, runs=tmp_path)["run"])
    assert both.session.data.heads["tags"]["label_counts"] == data.label_counts
    assert both.session.data.parts == {} and api.evaluate(both.folder.path)["metrics"]["tags.f1"] > 0.5
    with pytest.raises(ConfigError, match=r"multi_label\.class_weight\.fat: there is no such class.*expected far, up"):
        api.fit(simple(table, {"multi_label": {"class_weight": {"fat": 2.0}}}, "tags"), runs=tmp_path)


def test_ignored_labels_are_no_class_and_are_not_counted(table: Path, tmp_path: Path) -> None:
    task = {"classification": {"ignore_label": "unknown", "class_weight": "balanced"}}
    summary = api.fit(simple(table, task, "kind"), runs=tmp_path)
    found = api.evaluate(summary["run"], data=table)
    assert [row["label"] for row in found["per_class"]] == ["left", "middle", "right"]
    assert found["samples"] == 120 and sum(map(sum, found["confusion"])) == 108
    with pytest.raises(ConfigError, match="no such class"):
        task = {"classification": {"class_weight": {"lefd": 2.0}}}
        api.fit(simple(table, task, "kind"), runs=tmp_path)


@pytest.mark.parametrize(
    ("ignored", "left"),
    [("setosa", "versicolor virginica"), (0, "versicolor virginica"), ("virginica", "setosa versicolor")],
)
def test_classes_that_a_source_numbers_may_be_ignored(ignored: Any, left: str, tmp_path: Path) -> None:
    """By name or number; then files with the source's numbers are read as the source is."""
    spec = simple(tmp_path, {"binary_classification": {"ignore_label": ignored}}, "y", data={"source": "iris"})
    run = api.load_run(api.fit(spec, runs=tmp_path)["run"])
    x, y = (create("source", "iris").load(DataFolders(tmp_path)).columns[name] for name in "xy")
    assert run.session.data.classes == left.split()
    run.read_data()
    number = 2 if ignored == "virginica" else 0
    for part in run.session.data.parts.values():
        np.testing.assert_array_equal(part.columns["y"] < 0, y[part.ids] == number)
    np.savez(tmp_path / "new.npz", x=x, y=y)
    new = run.loader("", tmp_path / "new.npz").targets
    np.testing.assert_array_equal(new, np.where(y == number, -1, y - (number == 0)))


def test_a_label_beside_the_listed_classes_is_ignored(tmp_path: Path) -> None:
    labels = np.array([7, 9, 255] * 20, np.uint8)
    np.savez(tmp_path / "a.npz", x=np.arange(120.0).reshape(60, 2), y=labels)
    source = {"npz": {"path": "a.npz", "classes": [7, 9]}}
    data = loaded(source, tmp_path, needs=Need("classes", ignore=255))  # type: ignore[arg-type]
    assert data.classes == ["7", "9"]
    for part in data.parts.values():
        np.testing.assert_array_equal(part.columns["y"], np.array([0, 1, -1])[part.ids % 3])


def test_a_separator_without_an_effect_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(40.0).reshape(20, 2), y=np.arange(40).reshape(20, 2) % 3 == 0)
    with pytest.raises(DataError, match=r"columns of 0 and 1 have no separator; got `separator: ,`; leave"):
        loaded({"npz": "a.npz"}, tmp_path, needs=Need("labels", separator=","))  # type: ignore[arg-type]
    assert loaded({"npz": "a.npz"}, tmp_path, needs=Need("labels", separator=";")).target_names  # type: ignore[arg-type]
    model = {"graph": {"y": ["dense"]}}
    spec = {"name": "a", "task": {"multi_label": {"separator": ""}}, "data": {"source": {"npz": "a.npz"}}}
    with pytest.raises(ConfigError, match=r"task\.multi_label\.separator: .*expected"):
        from_mapping({**spec, "model": model})


def test_labels_of_bytes_are_text(tmp_path: Path) -> None:
    """A label that is no ASCII was a UnicodeDecodeError, and labels of a set were called b'up'."""
    words = np.array(["straße", "weg", "x"] * 20)
    np.savez(tmp_path / "a.npz", x=np.arange(120.0).reshape(60, 2), y=np.char.encode(words, "utf-8"))
    data = loaded({"npz": "a.npz"}, tmp_path, needs=Need("classes", ignore="x"))  # type: ignore[arg-type]
    assert data.classes == ["straße", "weg"]
    sets = np.array([b"up;far", b"far", b"", b"up"] * 15)
    np.savez(tmp_path / "b.npz", x=np.arange(120.0).reshape(60, 2), y=sets)
    assert loaded({"npz": "b.npz"}, tmp_path, needs="labels").target_names == ["far", "up"]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("segmentation", "a head cannot learn the class of every pixel; expected a task with a target for each sample"),
        ("language_model", "a head cannot learn every character; expected a task with a target for each sample"),
        ({"multi_task": {"heads": {"a": {}}}}, "a head has a single task; expected a task of one loss; got multi_task"),
    ],
)
def test_tasks_that_are_no_heads(task: Any, said: str) -> None:
    spec = {"task": {"multi_task": {"heads": {"y": {"task": task}}}}, "data": {"source": "iris"}}
    with pytest.raises(ConfigError) as caught:
        api.check({**spec, "model": {"graph": {"y": ["dense"]}}})
    assert f"task.multi_task.heads.y.task: {said}" in str(caught.value)


def test_wrong_class_weights_are_said_in_full(tmp_path: Path) -> None:
    """A number as a key from Python as from YAML; and a list of classes that is cut says so."""
    for weights, said in (
        ({0: 2.0}, r"class_weight: this key is not text; expected a name; got 0; put it in quotes if it is meant"),
        ([1.0], r"expected 10, one for each of 0, 1, 2, 3, 4, 5, 6, 7, …; got 1"),
        ([1.0, 2.0], r"expected 3, one for each of setosa, versicolor, virginica; got 2"),
    ):
        data = {"source": "iris" if "setosa" in said else "digits"}
        task = {"classification": {"class_weight": weights}}
        with pytest.raises(ConfigError, match=said):
            api.fit(simple(tmp_path, task, "y", data=data), runs=tmp_path)


def test_a_weight_of_two_is_an_example_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(0.1, 0.0, 1), (0.9, 1.0, 2), (0.4, 0.7, 1), (0.5, 0.3, 2)]
    losses = []
    for name, lines in (("w", rows), ("twice", [(a, b, 1) for a, b, n in rows for _ in range(n)])):
        text = "x,y,w\n" + "".join(f"{a},{b},{n}\n" for a, b, n in lines)
        (tmp_path / f"{name}.csv").write_text(text)
        source = {"csv": {"path": f"{name}.csv", "features": ["x"], "target": "y", "weight": "w"}}
        changes: dict[str, Any] = {"dtype": "float64", "optimizer": {"gradient_descent": 0.3}}
        changes["data"] = {"source": source, "split": {"random": {"validation": 0, "test": 0}}}
        changes["train"] = {"steps": 5, "batch_size": 10, "shuffle": False}
        changes["model"] = {"graph": {"y": [{"dense": {"kernel_initializer": "ones"}}]}}
        summary = api.fit(simple(tmp_path, "regression", "y", **changes), runs=tmp_path / name)
        losses.append([record["train"]["loss"] for record in load_run(summary["run"]).metrics])
    assert losses[0] == pytest.approx(losses[1], rel=1e-12) and len(losses[0]) > 1


def test_weights_that_are_none_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("x,y,w\n" + "".join(f"{k},{k},{k - 1}\n" for k in range(20)))
    source = {"csv": {"path": "a.csv", "features": ["x"], "target": "y", "weight": "w"}}
    with pytest.raises(DataError, match=r"a.csv:2: a weight is negative"):
        api.fit(simple(tmp_path, "regression", "y", data={"source": source}), runs=tmp_path)


@pytest.mark.parametrize(
    ("loss", "last"), [("quadratic", "sigmoid"), ("quadratic", "softmax"), ("binary_cross_entropy", None)]
)
def test_classes_learn_from_one_hot_rows(loss: str, last: str | None, tmp_path: Path) -> None:
    """The textbook networks: sigmoid outputs with the quadratic cost, or with a cross-entropy each."""
    layers = [{"dense": 16}, "sigmoid", {"dense": "$classes"}, *([last] if last else [])]
    changes = {"data": {"source": "iris", "prepare": ["standardize"]}, "model": {"graph": {"y": layers}}, "loss": loss}
    summary = api.fit(
        simple(tmp_path, "classification", "y", metrics=["accuracy", "log_loss"], **changes), runs=tmp_path
    )
    assert summary["metrics"]["validation"]["accuracy"] > 0.8
    assert summary["metrics"]["validation"]["log_loss"] < 0.8
    [row] = api.predict(summary["run"], [iris_file(tmp_path)])["predictions"]
    assert sum(row["probabilities"].values()) == pytest.approx(1)
    assert row["label"] == max(row["probabilities"], key=row["probabilities"].__getitem__) == "setosa"


def iris_file(folder: Path) -> Path:
    path = folder / "flower.npy"
    np.save(path, np.array([[5.0, 3.4, 1.5, 0.2]]))
    return path


def test_goals_choose_the_best_that_keeps_the_bounds(table: Path, tmp_path: Path) -> None:
    goals = {"optimize": "accuracy", "satisfy": {"log_loss": "<= 0.7", "milliseconds_per_sample": "<= 1000"}}
    summary = api.fit(simple(table, "classification", "kind", metrics=goals), runs=tmp_path)
    records = [r for r in load_run(summary["run"]).metrics if "validation" in r]
    kept = [r for r in records if r["validation"]["log_loss"] <= 0.7]
    assert 0 < len(kept) < len(records)
    assert "milliseconds_per_sample" not in records[0]["train"]
    assert all(0 < r["validation"]["milliseconds_per_sample"] < 1000 for r in records)
    best = max(kept, key=lambda r: r["validation"]["accuracy"])  # the first of equal ones
    assert summary["best"]["step"] == best["step"] and summary["best"]["satisfied"] is True
    assert summary["best"]["metric"] == "validation.accuracy"


def test_while_no_state_keeps_the_bounds_the_one_that_misses_least_is_best(table: Path, tmp_path: Path) -> None:
    goals = {"optimize": "accuracy", "satisfy": {"log_loss": "<= 0.001"}}
    summary = api.fit(simple(table, "classification", "kind", metrics=goals), runs=tmp_path)
    records = [r for r in load_run(summary["run"]).metrics if "validation" in r]
    best = min(records, key=lambda r: r["validation"]["log_loss"])
    assert summary["best"]["step"] == best["step"] and summary["best"]["satisfied"] is False


def test_early_stopping_waits_for_the_same_goal(table: Path, tmp_path: Path) -> None:
    """Accuracy alone stands still from the start; as long as the bound comes nearer, the run goes on."""
    hooks = [{"early_stopping": {"patience": 1}}]
    goals = {"optimize": "accuracy", "satisfy": {"log_loss": "<= 0.01"}}
    changes: dict[str, Any] = {"optimizer": {"gradient_descent": 0.02}, "hooks": hooks}
    alone = api.fit(simple(table, "classification", "kind", metrics={"optimize": "accuracy"}, **changes), runs=tmp_path)
    both = api.fit(simple(table, "classification", "kind", metrics=goals, **changes), runs=tmp_path)
    assert alone["stopped"] == "early_stopping" and alone["epochs"] < both["epochs"]


@pytest.mark.parametrize("step", [3, 9])
def test_goals_resume_byte_for_byte(table: Path, tmp_path: Path, step: int) -> None:
    goals = {"optimize": "accuracy", "satisfy": {"log_loss": "<= 0.9"}, "measure": ["accuracy", "roc_auc"]}
    changes: dict[str, Any] = {"metrics": goals, "hooks": [{"early_stopping": {"patience": 3}}]}
    whole = api.fit(simple(table, "classification", "kind", **changes), runs=tmp_path / "a")
    stopped = api.fit(simple(table, "classification", "kind", **changes), runs=tmp_path / "b", progress=StopAt(step))
    assert result(api.resume(stopped["run"])["run"]) == result(whole["run"])


GOALS = [
    ({"optimize": "acuracy"}, "did you mean 'accuracy'"),
    ({"optimize": "accuracy", "satisfy": {"recal": ">= 0.5"}}, "did you mean 'recall'"),
    ({"optimize": "accuracy", "satisfy": {"recall": "about 0.5"}}, "a bound such as '>= 0.9'"),
    ({"optimise": "accuracy"}, "did you mean 'optimize'"),
    ({"satisfy": {"recall": ">= 0.5"}}, "'optimize' is missing"),
]


@pytest.mark.parametrize(("goals", "message"), GOALS)
def test_goals_that_cannot_be_are_refused(goals: dict[str, Any], message: str, table: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(simple(table, "classification", "kind", metrics=goals))
    assert message in str(caught.value)


def test_what_is_best_is_said_once(table: Path) -> None:
    changes = {"metrics": {"optimize": "accuracy"}, "train": {"monitor": "validation.loss"}}
    with pytest.raises(ConfigError, match="says already what is best"):
        from_mapping(simple(table, "classification", "kind", **changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": {"optimize": "help.accuracy"}}, "this is not measured"),
        ({"train": {"monitor": "validation.help.loss"}}, "this is not measured"),
        ({"hooks": [{"early_stopping": {"patience": 2, "monitor": "validation.help.loss"}}]}, "this is not measured"),
    ],
)
def test_what_only_helps_the_training_is_no_goal(table: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        from_mapping(config(table, **changes))
    from_mapping(config(table, train={"monitor": "train.help.loss"}))


def test_heads_that_cannot_be(table: Path) -> None:
    heads = config(table)["task"]["multi_task"]["heads"]
    nested = {**heads, "size": {"task": {"multi_task": {"heads": {"a": {}}}}}}
    with pytest.raises(ConfigError, match=r"heads\.size\.task: a head has a single task"):
        from_mapping(config(table, task={"multi_task": {"heads": nested}}))
    trained = {name: {**head, "training_only": True} for name, head in heads.items()}
    with pytest.raises(ConfigError, match="all heads are for the training only"):
        from_mapping(config(table, task={"multi_task": {"heads": trained}}))


def test_a_label_that_is_ignored_is_there(table: Path) -> None:
    heads = config(table)["task"]["multi_task"]["heads"] | {
        "kind": {"task": {"classification": {"ignore_label": "unknwon"}}, "target": "kind"}
    }
    with pytest.raises(DataError, match="no sample has the label that is ignored; got `ignore_label: unknwon`"):
        api.check(config(table, task={"multi_task": {"heads": heads}}))


def test_the_time_of_a_sample_is_that_of_a_warm_model(tmp_path: Path) -> None:
    """What is loaded and compiled once is not timed: the first evaluation is no slower than the last by far."""
    spec = iris(metrics=["accuracy", "milliseconds_per_sample"], train__epochs=6)
    run = api.load_run(api.fit(spec, runs=tmp_path)["run"])
    times = [r["validation"]["milliseconds_per_sample"] for r in run.metrics if "validation" in r]
    assert times[0] < 30 * min(times)
    assert api.evaluate(run.folder.path)["metrics"]["milliseconds_per_sample"] < 30 * min(times)
