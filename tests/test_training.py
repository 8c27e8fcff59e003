"""Training as a person does it: known results, limits, hooks, and numbers that leave the finite (figure B4)."""

from __future__ import annotations

import importlib.util
import json
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import StopAt, iris, result

from dltrain import api, config
from dltrain.config.shipped import shipped_configs
from dltrain.errors import ConfigError, DataError, DltrainError, NumericsError
from dltrain.kernels import select
from dltrain.model.mode import Mode
from dltrain.optim import Moment
from dltrain.registry import create
from dltrain.runs.folder import RunFolder
from dltrain.training import checkpoint
from dltrain.training.journal import NoJournal
from dltrain.training.progress import SilentProgress
from dltrain.training.running import fixed_parts
from dltrain.training.session import prepare

CONFIGS = Path(__file__).parent.parent / "configs"
SLOW = pytest.mark.slow  # trains for many seconds; one step of each is in the quick suite


def shipped(name: str) -> Path:
    return next(CONFIGS.rglob(f"{name}.yaml"))


def test_digits_reach_97_5_percent(tmp_path: Path) -> None:
    summary = api.fit(shipped("digits-mlp"), runs=tmp_path)
    assert summary["test"]["accuracy"] >= 0.975
    assert api.evaluate(summary["run"])["metrics"] == summary["test"]


def test_mnist_reaches_98_3_percent(tmp_path: Path, data_folder: Path) -> None:
    summary = api.fit(shipped("mnist-mlp"), runs=tmp_path)
    assert summary["test"]["accuracy"] >= 0.983


@pytest.mark.parametrize(
    ("name", "metric", "bound"),
    [
        ("iris-softmax", "accuracy", 0.9),
        ("breast-cancer-logistic", "accuracy", 0.95),
        ("wine-mlp", "accuracy", 0.95),
        ("diabetes-regression", "r2", 0.35),
        ("linear-regression", "r2", 0.95),
        ("polynomial-logistic", "accuracy", 0.95),
        ("moons-mlp", "accuracy", 0.95),
        ("spirals-mlp", "accuracy", 0.95),
        ("circles-dropout", "accuracy", 0.9),
        ("residual-digits", "accuracy", 0.96),
        ("iris-baseline", "accuracy", 0.9),
        ("wine-baseline", "accuracy", 0.95),
        ("breast-cancer-baseline", "accuracy", 0.95),
        ("digits-baseline", "accuracy", 0.98),
        ("diabetes-baseline", "r2", 0.35),
        ("linear-regression-baseline", "r2", 0.95),
    ],
)
def test_shipped_configs_learn(name: str, metric: str, bound: float, tmp_path: Path) -> None:
    assert api.fit(shipped(name), runs=tmp_path)["test"][metric] >= bound


@pytest.mark.parametrize(
    ("name", "sets", "bound"),
    [
        ("logic-gate", [], 1.0),
        ("xor-mlp", [], 1.0),
        ("xor-by-hand", [], 1.0),
        ("planar-flower", ["train.epochs=3000"], 0.85),
        ("circles-init", [], 0.9),
        ("moons-optimizers", ["optimizer={adam: {learning_rate: 0.0007}}", "train.epochs=1500"], 0.85),
    ],
)
def test_shipped_configs_learn_their_points(name: str, sets: list[str], bound: float, tmp_path: Path) -> None:
    run = api.fit(shipped(name), sets=sets, runs=tmp_path)["run"]
    assert api.evaluate(run, split="train", checkpoint="last")["metrics"]["accuracy"] >= bound


@pytest.mark.parametrize(
    ("name", "sets", "metric", "bound"),
    [
        ("cats-logistic", ["train.epochs=300"], "accuracy", 0.6),
        ("cats-two-layers", ["train.epochs=1500"], "accuracy", 0.5),
        pytest.param("cats-four-layers", ["train.epochs=1500"], "accuracy", 0.5, marks=SLOW),
        ("cats-resnet", ["train.epochs=1"], "accuracy", 0.3),
        ("mnist-quadratic", ["train.epochs=1"], "accuracy", 0.8),
        ("mnist-cross-entropy", ["train.epochs=1"], "accuracy", 0.9),
        ("mnist-dropout", ["train.steps=100"], "accuracy", 0.85),
        ("mnist-lenet", ["train.steps=200"], "accuracy", 0.9),
        ("fashion-mlp", ["train.epochs=1"], "accuracy", 0.8),
        ("mnist-conv", ["train.steps=40"], "accuracy", 0.8),
        pytest.param("fashion-conv", ["train.steps=40"], "accuracy", 0.55, marks=SLOW),
        pytest.param("signs-resnet", ["train.epochs=3"], "accuracy", 0.2, marks=SLOW),
        ("shapes-u-net", ["train.steps=100", "data.source.shapes.samples=1000"], "mean_iou", 0.3),
        pytest.param(
            "shapes-convolutional", ["train.steps=400", "data.source.shapes.samples=1500"], "mean_iou", 0.33, marks=SLOW
        ),
        ("football", ["train.epochs=5000"], "accuracy", 0.85),
        ("football-l2", ["train.epochs=5000"], "accuracy", 0.85),
        ("football-dropout", ["train.epochs=5000"], "accuracy", 0.85),
        ("california-mlp", ["train.epochs=5"], "r2", 0.7),
        ("california-baseline", [], "r2", 0.8),
        ("adult-mlp", ["train.epochs=2"], "accuracy", 0.84),
        pytest.param("adult-baseline", [], "accuracy", 0.86, marks=SLOW),
        ("titanic-mlp", [], "accuracy", 0.75),
        ("movie-reviews", ["train.epochs=4"], "accuracy", 0.75),
        ("movie-reviews-glove", ["train.epochs=3"], "accuracy", 0.65),
        ("emoji", [], "accuracy", 0.7),
        ("atis-slots", ["train.epochs=1"], "span_f1", 0.6),
        ("english-tags", ["train.steps=80"], "accuracy", 0.45),
        pytest.param("dates-attention", ["train.epochs=1"], "token_accuracy", 0.9, marks=SLOW),
        pytest.param(
            "multi30k-attention",
            ["train.steps=20", "data.source.parallel_text.max_pairs=1500"],
            "token_accuracy",
            0.12,
            marks=SLOW,
        ),
        pytest.param("spoken-digits", ["train.epochs=2"], "accuracy", 0.6, marks=SLOW),
        pytest.param("trigger-word", ["train.steps=20"], "accuracy", 0.5, marks=SLOW),
        ("titanic-baseline", [], "accuracy", 0.75),
    ],
)
def test_shipped_configs_begin_to_learn(
    name: str, sets: list[str], metric: str, bound: float, tmp_path: Path, data_folder: Path
) -> None:
    """What takes long is cut short here; `make results` trains them to the end."""
    assert api.fit(shipped(name), sets=sets, runs=tmp_path)["test"][metric] >= bound


@pytest.mark.parametrize(
    ("name", "steps", "bound"),
    [
        pytest.param("shakespeare-lstm", 30, 30.0, marks=SLOW),
        ("dinosaur-names", 200, 9.0),
        ("shakespeare-transformer", 30, 30.0),
    ],
)
def test_shipped_texts_begin_to_be_learned(
    name: str, steps: int, bound: float, tmp_path: Path, data_folder: Path
) -> None:
    """A text of 65 or 27 characters; who knows nothing has a perplexity of so many."""
    run = api.fit(shipped(name), sets=[f"train.steps={steps}"], runs=tmp_path)["run"]
    assert api.evaluate(run, split="validation", checkpoint="last")["metrics"]["perplexity"] < bound


def test_a_shipped_config_is_whole_where_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in shipped_configs().values():
        Path(path.name).write_text(path.read_text())
        assert config.load(Path(path.name)).resolved == config.load(path).resolved


TRAINED = sorted(name.rpartition("/")[2] for name in shipped_configs() if not name.startswith("architectures/"))
NETWORKS = [name for name in TRAINED if not name.endswith("-baseline")]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradients_of_every_shipped_config_are_proven(name: str, data_folder: Path) -> None:
    assert api.gradcheck(shipped(name))["passed"]


@pytest.fixture(scope="module")
def trunk(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of one step, in place of the one that configs of transfer learning begin with."""
    return str(api.fit(shipped("cifar-resnet"), sets=["train.steps=1"], runs=tmp_path_factory.mktemp("runs"))["run"])


TRANSFER = ("cats-transfer", "cats-finetune")


@pytest.mark.parametrize("name", [name for name in TRAINED if name not in TRANSFER])
def test_every_shipped_config_is_checked(name: str, data_folder: Path) -> None:
    summary, _ = api.check(shipped(name))
    assert summary["layers"]


@pytest.mark.parametrize("name", TRANSFER)
def test_those_that_begin_with_a_run_are_tried(name: str, trunk: str, tmp_path: Path) -> None:
    """With a trunk that has learned nothing; `make results` trains it."""
    begins = f"init_from.run={trunk}"
    summary, _ = api.check(shipped(name), sets=[begins])
    assert summary["frozen"] > 0.9 * summary["parameters"]
    if name == "cats-transfer":  # the others' pictures are other ones in every epoch
        sets = [begins, "train.epochs=12", "train.evaluate_every=12 epochs", "train.checkpoint_every=12 epochs"]
        assert api.fit(shipped(name), sets=sets, runs=tmp_path)["test"]["accuracy"] > 0.3


# in test_series.py, beside their naive forecasts
TRIED_IN_SERIES = {"temperatures-gru", "passengers-linear", "passengers-gru", "passengers-baseline"}


def test_every_shipped_config_is_tried_and_has_its_figure() -> None:
    """A config that nothing above trains, or that the page of results lacks, would be a promise without proof."""
    names = set(TRAINED)  # those of architectures are in test_architectures.py
    tried = {"digits-mlp", "mnist-mlp", *TRANSFER, "cifar-resnet"} | TRIED_IN_SERIES
    for test in (
        test_shipped_configs_learn,
        test_shipped_configs_learn_their_points,
        test_shipped_configs_begin_to_learn,
        test_shipped_texts_begin_to_be_learned,
    ):
        tried |= {getattr(some, "values", some)[0] for mark in test.pytestmark for some in mark.args[1]}
    assert tried == names
    page = (CONFIGS.parent / "docs" / "results.md").read_text()
    assert {name for name in names if f"| `{name}`" in page} == names


# known figures of one start of the course, which few others reach (docs/results.md); our mean of five lies below them
BELOW = ("cats-two-layers", "cats-four-layers", "football-dropout", "planar-flower", "circles-init")


def test_the_figures_of_the_page_are_what_is_known_of_the_tasks() -> None:
    path = CONFIGS.parent / "benchmarks" / "results.py"
    spec = importlib.util.spec_from_file_location("results", path)
    assert spec is not None and spec.loader is not None
    results = importlib.util.module_from_spec(spec)
    sys.modules["results"] = results  # where a dataclass looks up its types
    spec.loader.exec_module(results)
    figures = json.loads(path.with_suffix(".json").read_text())
    rows = [row for chapter in results.CHAPTERS.values() for row in chapter]
    assert [row.missed(np.mean(figures[row.key]["values"])) for row in rows if row.key in figures] == [""] * len(rows)
    bound = {row.config for row in rows if (row.least, row.most) != (None, None)}
    assert {row.config for row in rows if any(map(str.isdigit, row.known))} - bound <= set(BELOW)
    floor = next(row for row in rows if row.config == "moons-mlp")
    assert floor.missed(0.9).endswith("0.9000 instead of 0.95 and more")


def test_same_seed_same_run_other_seed_other_run(tmp_path: Path) -> None:
    first, second = (result(api.fit(iris(), runs=tmp_path)["run"]) for _ in range(2))
    assert first == second
    assert result(api.fit(iris(seed=6), runs=tmp_path)["run"]) != first


@pytest.mark.parametrize(
    ("limits", "stopped", "steps"),
    [
        ({"epochs": 2}, "epochs", 14),
        ({"epochs": 9, "steps": 5}, "steps", 5),
        ({"epochs": 100000, "time": "0.2 seconds"}, "time", None),
    ],
)
def test_the_first_limit_ends_the_run(limits: dict[str, Any], stopped: str, steps: int | None, tmp_path: Path) -> None:
    summary = api.fit(iris(train={**limits, "batch_size": 15}), runs=tmp_path)
    assert summary["stopped"] == stopped
    assert steps is None or summary["steps"] == steps


def test_early_stopping_keeps_the_best(tmp_path: Path) -> None:
    early = [{"early_stopping": {"patience": 2}}]
    summary = api.fit(iris(hooks=early, train__epochs=400, optimizer={"adam": 0.05}, regularize=[]), runs=tmp_path)
    assert summary["stopped"] == "early_stopping"
    assert summary["epochs"] == summary["best"]["epoch"] + 2
    values = [r["validation"]["loss"] for r in api.load_run(summary["run"]).metrics]
    assert summary["best"]["value"] == min(values)
    at_best = api.evaluate(summary["run"], split="validation", checkpoint="best")
    assert at_best["metrics"]["loss"] == pytest.approx(summary["best"]["value"], rel=1e-12)
    assert at_best["checkpoint"] == summary["best"]["step"]


def test_train_metrics_are_sums_over_samples_not_means_of_batches(tmp_path: Path) -> None:
    """With a learning rate of nearly 0 and a small last batch, the epoch's loss is the loss of the whole part."""
    still = iris(optimizer={"gradient_descent": 1e-12}, train__batch_size=40, train__epochs=1)
    still["model"] = {"graph": {"logits": [{"dense": 8}, "tanh", "dense"]}}
    summary = api.fit(still, runs=tmp_path)
    whole = api.evaluate(summary["run"], split="train", checkpoint="last")["metrics"]
    assert summary["metrics"]["train"]["loss"] == pytest.approx(whole["loss"], rel=1e-6)
    assert summary["metrics"]["train"]["accuracy"] == whole["accuracy"]


def test_checkpoints_kept_are_the_newest_and_the_best(tmp_path: Path) -> None:
    summary = api.fit(iris(train__epochs=12, train__keep=2, optimizer={"adam": 0.1}, regularize=[]), runs=tmp_path)
    steps = checkpoint.list_steps(RunFolder.open(summary["run"]).checkpoints_path)
    assert set(steps) == {77, 84, summary["best"]["step"]}


def test_fast_dev_run_takes_two_steps(tmp_path: Path) -> None:
    summary = api.fit(shipped("digits-mlp"), runs=tmp_path, fast_dev_run=True)
    assert summary["steps"] == 2


class Fault(SilentProgress):
    """Puts a number into some array after a step."""

    def __init__(self, step: int, array: np.ndarray[Any, Any], value: float) -> None:
        self.at, self.array, self.value, self.next_poll = step, array, value, 0.0

    def step(self, now: Any, tally: Any, rate: float) -> None:
        """Called after every step."""
        if now.step == self.at:
            self.array.reshape(-1)[3] = self.value


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["logits.0.dense.kernel", "logits.1.batch_norm.gamma", "logits.4.dense.kernel"])
def test_a_number_that_is_not_finite_stops_the_run_within_a_step(place: str, value: float, tmp_path: Path) -> None:
    experiment = config.from_mapping(iris())
    run = RunFolder.create(tmp_path, "nan")
    run.write(run.config_path, config.dump(experiment.resolved))
    session = prepare(experiment)
    progress = Fault(9, session.graph.parameters[place].value, value)
    with pytest.raises(NumericsError, match=place.replace(".", r"\.")) as caught:
        train_session(session, run, progress)
    assert "step 9" in str(caught.value)
    assert "batch 3" in str(caught.value)
    assert_checkpoints_are_finite(run)


def test_a_gradient_that_overflows_names_its_layer(tmp_path: Path) -> None:
    experiment = config.from_mapping(iris(train__epochs=50, optimizer={"gradient_descent": 1e30}, regularize=[]))
    run = RunFolder.create(tmp_path, "big")
    session = prepare(experiment)
    with pytest.raises(NumericsError, match=r"dense|batch_norm"):
        train_session(session, run, SilentProgress())
    assert_checkpoints_are_finite(run)


def train_session(session: Any, run: RunFolder, progress: SilentProgress) -> None:
    from dltrain.training.journal import Journal

    journal = Journal(run, keep=2, fixed=fixed_parts(session))
    session.trainer(journal, progress).run()


def assert_checkpoints_are_finite(run: RunFolder) -> None:
    assert run.checkpoints()
    for path in run.checkpoints().values():
        assert all(np.isfinite(array).all() for array in checkpoint.load(path)[0].values())


def test_features_that_are_not_finite_are_refused_when_loaded(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40) % 2
    x[17, 2] = np.nan
    np.savez(tmp_path / "bad.npz", x=x, y=y)
    mapping = iris(data__source={"npz": "bad.npz"})
    (tmp_path / "bad.yaml").write_text(config.dump(mapping))
    with pytest.raises(DataError, match="17"):
        api.fit(tmp_path / "bad.yaml", runs=tmp_path)


def test_reference_and_compiled_kernels_train_alike() -> None:
    losses = []
    for implementation in ("reference", "auto"):
        session = prepare(config.from_mapping(iris(train__epochs=30)), implementation)
        loader = session.loader("train", batch_size=15, shuffle=True)
        optimizer = create("optimizer", "adam")
        optimizer.bind(session.graph.vector, session.kernels)
        mode = Mode(True, kernels=select(implementation), arena=session.arena, seed=5, input_gradients=False)
        for step in range(60):
            batch = loader.batch(*divmod(step, loader.steps_per_epoch))
            mode.begin(step, len(batch))
            losses.append(session.objective(batch, mode).loss)
            optimizer.step(Moment(step, loader.steps_per_epoch, None))
            session.graph.changed()
    np.testing.assert_allclose(losses[:60], losses[60:], rtol=2e-3)


def test_predictions_agree_with_evaluation(tmp_path: Path) -> None:
    summary = api.fit(iris(train__epochs=20), runs=tmp_path)
    loaded = api.load_run(summary["run"])
    from sklearn.datasets import load_iris

    raw = load_iris()
    predictions = loaded.predict(raw.data[:, :4])
    labels = [p["label"] for p in predictions]
    accuracy = np.mean([label == raw.target_names[t] for label, t in zip(labels, raw.target, strict=True)])
    assert accuracy > 0.9
    assert all(abs(sum(p["probabilities"].values()) - 1) < 1e-9 for p in predictions)


def test_a_second_signal_during_evaluation_is_not_needed(tmp_path: Path) -> None:
    """A signal that arrives before the epoch's evaluation leaves a state that a resume settles."""
    stopped = api.fit(iris(), runs=tmp_path, progress=StopAt(7, signal.SIGTERM))
    assert stopped["metrics"]["train"] == {}
    assert stopped["epochs"] == 0
    resumed = api.resume(stopped["run"])
    assert [r["epoch"] for r in api.load_run(resumed["run"]).metrics] == [1, 2, 3]


def test_build_model_takes_shapes_and_width_from_the_data_of_a_whole_config() -> None:
    model = api.build_model(shipped("digits-mlp"), seed=3, dtype="float64")
    assert model.inputs == {"x": (64,)}
    assert model.wires["logits"] == (10,)
    assert model.vector.dtype == np.float64


def test_subnormal_numbers_are_zero_in_a_run_and_not_after_it(tmp_path: Path) -> None:
    """A dead unit's moments must not slow training for ever (kernels: `flush_subnormals`); the caller keeps them."""
    seen = []

    class Look(SilentProgress):
        def step(self, *_: Any) -> None:
            seen.append(float(np.float32(1e-39) * np.float32(0.5)))

    progress = Look()
    progress.next_poll = 0.0
    prepare(config.from_mapping(iris())).trainer(NoJournal(), progress).run()
    assert seen and not any(seen)
    assert np.float32(1e-39) * np.float32(0.5) > 0


def best_weights(summary: dict[str, Any]) -> dict[str, Any]:
    return api.load_run(summary["run"]).graph.state()


def test_the_best_weights_are_kept_however_rare_checkpoints_are(tmp_path: Path, monkeypatch: Any) -> None:
    often = api.fit(iris(train__epochs=8, train__checkpoint_every="1 epoch"), runs=tmp_path)
    written, save = [], checkpoint.save
    monkeypatch.setattr(checkpoint, "save", lambda *arguments: written.append(arguments[1]) or save(*arguments))
    rarely = api.fit(iris(train__epochs=8, train__checkpoint_every="1000 epochs"), runs=tmp_path)
    assert often["best"] == rarely["best"] and often["best"]["epoch"] > 1
    assert sorted({0, rarely["best"]["step"], rarely["steps"]}) == written
    for path, value in best_weights(often).items():
        np.testing.assert_array_equal(best_weights(rarely)[path], value)


def test_the_best_weights_are_written_when_a_number_is_not_finite(tmp_path: Path) -> None:
    experiment = config.from_mapping(iris(train__epochs=8, train__checkpoint_every="1000 epochs"))
    run = RunFolder.create(tmp_path, "nan")
    run.write(run.config_path, config.dump(experiment.resolved))
    session = prepare(experiment)
    per_epoch = session.loader("train", batch_size=experiment.train.batch_size).steps_per_epoch  # type: ignore[union-attr]
    with pytest.raises(NumericsError):
        train_session(
            session, run, Fault(2 * per_epoch + 1, next(iter(session.graph.parameters.values())).value, np.nan)
        )
    assert max(run.checkpoints()) in (per_epoch, 2 * per_epoch)
    assert_checkpoints_are_finite(run)


def test_a_stop_that_watches_a_part_that_is_not_there_is_refused(tmp_path: Path) -> None:
    split = {"random": {"validation": 0, "test": 0.2}}
    hooks = [{"early_stopping": {"patience": 1, "monitor": "validation.loss"}}]
    spec = iris(data__split=split, hooks=hooks, train__monitor="train.loss")
    with pytest.raises(ConfigError, match=r"hooks\.0\.early_stopping\.monitor: there are no validation examples"):
        api.fit(spec, runs=tmp_path)


def test_a_schedule_that_will_leave_its_range_is_refused_before_the_run() -> None:
    momentum = {"polynomial": {"learning_rate": 0.5, "floor": 1.5}}
    with pytest.raises(DltrainError, match="momentum"):
        api.check(iris(optimizer={"momentum": {"learning_rate": 0.1, "momentum": momentum}}))


def test_a_plateau_of_accuracy_is_one_that_does_not_rise(tmp_path: Path) -> None:
    plateau = {"reduce_on_plateau": {"learning_rate": 0.05, "patience": 1, "monitor": "validation.accuracy"}}
    spec = iris(optimizer={"adam": {"learning_rate": plateau}}, train__epochs=12, hooks=[])
    records = api.load_run(api.fit(spec, runs=tmp_path)["run"]).metrics
    schedule, seen, rates = create("schedule", plateau), None, []
    for record in records:
        rates.append(schedule(Moment(record["step"], 7, None, seen)))
        seen = schedule.observe(seen, record["validation"]["accuracy"], higher=True)
    assert rates == [record["learning_rate"] for record in records] and len(set(rates)) > 1
    values = [record["validation"]["accuracy"] for record in records]
    assert any(b > a for a, b in zip(values, values[1:], strict=False))  # else up and down could not be told apart


def test_a_checkpoint_of_an_older_version_is_refused_in_a_sentence(tmp_path: Path) -> None:
    run = api.fit(iris(), runs=tmp_path)["run"]
    folder = RunFolder(Path(run))
    for step, path in folder.checkpoints().items():
        arrays, meta = checkpoint.load(path)
        del meta["trainer"]["average"]
        checkpoint.save(folder.checkpoints_path, step, arrays, meta)
    with pytest.raises(DltrainError, match="an older version of dltrain wrote the checkpoint"):
        api.resume(run)


@pytest.mark.parametrize(
    ("loss", "last", "refused"),
    [
        ("softmax_cross_entropy", "softmax", True),
        ("softmax_cross_entropy", "sigmoid", True),
        ("binary_cross_entropy", "sigmoid", True),
        ("focal", "softmax", True),
        ("mean_squared_error", "softmax", False),
        ("quadratic", "sigmoid", False),
        ("softmax_cross_entropy", "tanh", False),
        ("softmax_cross_entropy", "log_softmax", False),
    ],
)
def test_probabilities_are_no_scores(loss: str, last: str, refused: bool) -> None:
    config = iris(loss=loss, model__graph={"h": [{"dense": 8}, "relu"], "said": ["dense", last]})
    if not refused:
        api.check(config)
        return
    match = rf"model\.graph\.said\.1: the loss {loss} takes scores.*got {last}; leave the {last} out"
    with pytest.raises(ConfigError, match=match):
        api.check(config)
