"""Every registered thing keeps the promises of its kind: one line in `cases.py`, and all checks run on it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from cases import (
    DIAGNOSES,
    DIMENSIONS,
    EXAMPLES,
    EXPLORATIONS,
    HOOKS,
    INITIALIZERS,
    LAYERS,
    LINTS,
    LOSSES,
    METRICS,
    OPTIMIZERS,
    OTHERS,
    PREPARATIONS,
    PRUNERS,
    REGULARIZERS,
    RULES,
    SAMPLERS,
    SCHEDULES,
    SHAPED,
    SOURCES,
    SPLITS,
    TASKS,
    TRIALS,
    VIEWS,
    Layer,
    Loss,
)
from checks import LAYER_CHECKS
from data_files import arrays, csv_text, idx, images
from example_layers import EXAMPLES as EXAMPLE_LAYERS
from example_layers import registered
from loss_checks import LOSS_CHECKS
from picture_files import folder as pictures
from picture_files import noise, packed
from scipy.io import savemat
from small_models import batch_of, graph_of, heads_case, objective_of, pairs_case, text_case
from sound_files import tones

from dltrain import build_model, config, registry
from dltrain.data import DataFolders, Examples, Pool, load, pipeline
from dltrain.data.examples import Features
from dltrain.diagnose.checkup import Checkup
from dltrain.diagnose.course import Course, Measured
from dltrain.diagnose.data_lint import of_rows
from dltrain.diagnose.health import Activity, Health, Pull
from dltrain.errors import ConfigError
from dltrain.explore import Subject
from dltrain.kernels import select
from dltrain.looking import Inside, Unit
from dltrain.looking import Subject as LookedAt
from dltrain.looking.reading import Reading
from dltrain.metrics import Certainty, Confusion, Hits, LabelSets, Moments, Scores, Spans
from dltrain.model.mode import Mode
from dltrain.optim import Moment
from dltrain.registry import create
from dltrain.sweeps.space import Space
from dltrain.sweeps.trials import Trial, Trials
from dltrain.training.comparison import Comparison
from dltrain.training.goal import Goal
from dltrain.training.gradient_check import check_gradients
from dltrain.training.journal import NoJournal


def test_every_registered_thing_has_a_line() -> None:
    lines = {kind: set(rows) for kind, rows in OTHERS.items()}
    lines |= {"layer": {case.kind for case in LAYERS}, "loss": {case.name for case in LOSSES}}
    assert lines == {kind: set(registry.entries(kind)) for kind in registry.kinds()}


@pytest.mark.parametrize("case", [*LAYERS, *EXAMPLES], ids=lambda case: case.name)
@pytest.mark.parametrize("check", LAYER_CHECKS, ids=lambda check: check.__name__)
def test_layer(check: Callable[[Layer], None], case: Layer) -> None:
    with registered(**EXAMPLE_LAYERS):
        check(case)


@pytest.mark.parametrize(
    "case", LOSSES, ids=lambda case: f"{case.name}-{case.shape[0]}-{case.targets}-{case.arguments}"
)
@pytest.mark.parametrize("check", LOSS_CHECKS, ids=lambda check: check.__name__)
def test_loss(check: Callable[[Loss], None], case: Loss) -> None:
    check(case)


class Bowl:
    """Σ c w² and its gradient, in the layout of a model's vector."""

    def __init__(self, dtype: Any = np.float64) -> None:
        self.value = np.array([1.0, -2.0, 3.0, 0.5], dtype)
        self.grad, self.decayed, self.slices = np.zeros(4, dtype), slice(0, 2), {"k": slice(0, 2), "b": slice(2, 4)}
        self.weights = np.array([1.0, 0.5, 2.0, 0.1])

    def zeros(self, size: int) -> np.ndarray:
        return np.zeros(size, self.value.dtype)

    def descend(self, optimizer: Any, steps: range) -> float:
        for step in steps:
            self.grad[:] = 2 * self.weights * self.value
            optimizer.step(Moment(step, 5, 60))
        return float((self.weights * self.value**2).sum())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name: str) -> None:
    """It goes downhill, and goes on from its state byte for byte (parity with the papers: test_optim.py)."""
    bowl, optimizer = Bowl(), create("optimizer", OPTIMIZERS[name])
    optimizer.bind(bowl, select("reference"))
    before = bowl.descend(optimizer, range(1))
    state, values = optimizer.state(), bowl.value.copy()
    after = bowl.descend(optimizer, range(1, 60))
    assert after < 0.2 * before
    other, again = Bowl(), create("optimizer", OPTIMIZERS[name])
    again.bind(other, select("reference"))
    again.load_state(state)
    other.value[:] = values
    assert other.descend(again, range(1, 60)) == after
    assert other.value.tobytes() == bowl.value.tobytes()


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name: str) -> None:
    """A pure function of the moment: any order, any number of times, any instance (values: test_schedules.py)."""
    moments = [Moment(step, 4, 40) for step in range(40)]
    schedule, other = create("schedule", SCHEDULES[name]), create("schedule", SCHEDULES[name])
    rates = [schedule(moment) for moment in moments]
    assert rates == [other(moment) for moment in reversed(moments)][::-1] == [schedule(moment) for moment in moments]
    assert all(isinstance(rate, float) and 0 <= rate <= 0.1 for rate in rates)


@pytest.mark.parametrize("fans", [(50, 400), (300, 80)])
@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializer(name: str, fans: tuple[int, int]) -> None:
    """Its moments are those of its documentation, it draws from the given stream only, and the same in every dtype."""
    spec, variance, mean = INITIALIZERS[name]
    found = []
    for dtype in (np.float64, np.float64, np.float32, np.complex128):
        value = np.full(fans, np.nan, dtype)
        create("initializer", spec).fill(value, fans, np.random.default_rng(0))
        found.append(value)
    expected = variance(*fans)
    deviation, mean = expected**0.5, mean(*fans) if callable(mean) else mean
    assert found[0].mean() == pytest.approx(mean, abs=5 * deviation / found[0].size ** 0.5 + 1e-12)
    assert found[0].var() == pytest.approx(expected, rel=0.05, abs=1e-12)
    assert (found[0] == found[1]).all() and (found[0] == found[3]).all()
    np.testing.assert_allclose(found[2], found[0], rtol=1e-6)


@pytest.mark.parametrize("name", METRICS)
def test_metric(name: str) -> None:
    """Right predictions give the best value, wrong ones a worse one, in any grouping of the samples."""
    spec, best, higher = METRICS[name]
    metric = create("metric", spec)
    assert metric.higher_is_better is higher
    if metric.statistic in ("loss", "timing"):
        return
    rng = np.random.default_rng(0)
    make, targets, right = COLLECTED[metric.statistic](rng)
    values = []
    for outputs, cuts in ((right, [30]), (rng.standard_normal(right.shape), [30]), (None, [7, 8, 8, 30])):
        outputs = values[-1][1] if outputs is None else outputs
        collector = make()
        for start, stop in zip([0, *cuts], cuts, strict=False):
            collector.update(outputs[start:stop], targets[start:stop], select("reference")(outputs))
        values.append((metric(collector.arrays), outputs))
        copies = {key: array.copy() for key, array in collector.arrays.items()}
        other = make()
        other.update(right[:5], targets[:5], select("reference")(outputs))
        other.load(copies)
        assert metric(other.arrays) == values[-1][0]
    assert values[0][0] == pytest.approx(best, abs=1e-12)
    assert (values[1][0] < best) if higher else (values[1][0] > best)
    assert values[2][0] == pytest.approx(values[1][0], rel=1e-12)


def classes_of(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and logits that are sure of them."""
    labels = rng.integers(0, 3, 30)
    return labels, 800 * np.eye(3)[labels]


def tags_of(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Tags of sentences, and logits that are sure of them."""
    tags = rng.integers(0, 3, (30, 7))
    return tags, np.eye(3)[tags]


def labels_of(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sets of labels, and logits that are right."""
    sets = rng.integers(0, 2, (30, 3)).astype(np.float64)
    return sets, 2 * sets - 1


def values_of(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, twice."""
    values = rng.standard_normal((30, 2))
    return values, values


# {statistic: (its collector, targets, outputs that are right)}
COLLECTED: dict[str, Callable[[Any], Any]] = {
    "confusion": lambda rng: (lambda: Confusion(3), *classes_of(rng)),
    "certainty": lambda rng: (lambda: Certainty(3), *classes_of(rng)),
    "hits": lambda rng: (Hits, *classes_of(rng)),
    "scores": lambda rng: (lambda: Scores(3, "softmax"), *classes_of(rng)),
    "spans": lambda rng: (lambda: Spans(["O", "B-x", "I-x"]), *tags_of(rng)),
    "label_sets": lambda rng: (lambda: LabelSets(3), *labels_of(rng)),
    "moments": lambda rng: (lambda: Moments(2), *values_of(rng)),
}


class Penalty:
    """A regularizer as a function of the weights."""

    def __init__(self, spec: Any, value: np.ndarray) -> None:
        self.spec, self.variables = spec, {"w": value}

    def run(self) -> tuple[Any, np.ndarray]:
        w = self.variables["w"]
        vector: Any = SimpleNamespace(value=w, grad=np.zeros_like(w), decayed=slice(0, 6))
        return create("regularizer", self.spec).add(vector, select("reference")), vector.grad

    def value(self) -> Any:
        return self.run()[0]

    def gradient(self) -> dict[str, np.ndarray]:
        return {"w": self.run()[1]}

    def astype(self, dtype: Any) -> Penalty:
        return Penalty(self.spec, self.variables["w"].astype(dtype))


@pytest.mark.parametrize("name", REGULARIZERS)
def test_regularizer(name: str) -> None:
    """Its gradient is that of its value, is added to what is there, and spares what does not decay."""
    penalty = Penalty(REGULARIZERS[name], np.random.default_rng(0).standard_normal(8))
    for method, bound in (("complex", 1e-12), ("central", 1e-8)):
        tensor = Comparison(penalty, method, 10, 0).tensor("w")
        assert tensor.checked == 8 and tensor.error < bound
    gradient = penalty.gradient()["w"]
    assert gradient[:6].all() and not gradient[6:].any()
    w = penalty.variables["w"]
    vector: Any = SimpleNamespace(value=w, grad=np.ones(8), decayed=slice(0, 6))
    create("regularizer", REGULARIZERS[name]).add(vector, select("reference"))
    np.testing.assert_allclose(vector.grad, 1 + gradient, rtol=1e-14)


@pytest.mark.parametrize("name", SPLITS)
def test_split(name: str) -> None:
    """Every sample is in one part, the seed decides, and nothing else does."""
    labels = np.arange(120) % 3
    pool = Pool({"x": np.zeros((120, 2)), "y": labels}, "test")
    pool.columns["group"] = np.arange(120) // 3
    parts = create("split", SPLITS[name]).split(pool, labels, 7)
    assert {part: len(index) for part, index in parts.items()} == {"train": 66, "validation": 24, "test": 30}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(120))
    again, other = (create("split", SPLITS[name]).split(pool, labels, seed) for seed in (7, 8))
    assert all((again[part] == index).all() for part, index in parts.items())
    assert any((other[part] != index).any() for part, index in parts.items()) or name == "chronological"


TABLES_ONLY = {"one_hot", "polynomial"}
# a product of matrices rounds as the number of its rows makes BLAS do
ROUNDED = {"pca": 1e-10, "whiten": 1e-10}


@pytest.mark.parametrize(
    ("name", "shape"), [(name, shape) for name in PREPARATIONS for shape in SHAPED.get(name, [(5,), (4, 4, 2)])]
)
def test_preparation(name: str, shape: tuple[int, ...]) -> None:
    """Fitted on the training part, applied to each sample by itself, finite on constants, writes to nothing."""
    preparation = create("preparation", PREPARATIONS[name])
    x = 100 + 10 * np.random.default_rng(0).standard_normal((40, *shape))
    x[..., 0] = 3
    x.flags.writeable = False
    names = ["f0", "f1", "f2", "f3", "f4"] * (len(shape) == 1)
    examples = Examples({"x": x}, np.arange(40), Features(shape, names, rate=8000 * (name in SHAPED)))
    if name in TABLES_ONLY and len(shape) > 1:
        with pytest.raises(ConfigError, match="takes a table|only a table has columns"):
            pipeline.fit([PREPARATIONS[name]], examples)
        return
    if name == "one_hot":
        examples = Examples({"x": np.round(x / 10)}, examples.ids, examples.features)
        x = examples.columns["x"]
        x.flags.writeable = False
    constants = preparation.fit(examples)
    assert all(isinstance(constant, np.ndarray) for constant in constants.values())
    whole = preparation.apply(x, constants)
    described = preparation.output(examples.described(), constants)
    assert whole.shape == (40, *described.shape) and np.isfinite(whole).all()
    assert not described.names or len(described.names) == whole.shape[1]
    singly = np.concatenate([preparation.apply(x[i : i + 1], constants) for i in range(40)])
    np.testing.assert_allclose(singly, whole, rtol=0, atol=ROUNDED.get(name, 0.0))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small data file of each kind."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "a.csv").write_text(csv_text())
    np.savez(folder / "a.npz", **arrays())
    with h5py.File(folder / "a.h5", "w") as file:
        for key, array in arrays().items():
            file[key] = array
    for name, count in (("a.bin", 200), ("b.bin", 20)):
        (folder / name).write_bytes(b"".join(bytes([k % 10]) + bytes([k]) * 3072 for k in range(count)))
    for k in range(12):
        for name, pixels in (("images", noise(k)), ("masks", noise(k, channels=1) % 3)):
            (folder / "segmented" / name).mkdir(parents=True, exist_ok=True)
            (folder / "segmented" / name / f"{k}.png").write_bytes(packed(pixels))
    savemat(folder / "a.mat", {"X": arrays()["x"], "y": arrays()["y"][:, None]})
    pictures(folder / "pictures", "a b", count=20)
    (folder / "a.txt").write_text("".join(f"line {number} of a text\n" for number in range(20)))
    for name in "ab":
        (folder / "texts" / name).mkdir(parents=True)
        lines = [f"{name} number {k} has some words" for k in range(10)]
        (folder / f"{name}.lines").write_text("\n".join(lines))
        for k, line in enumerate(lines):
            (folder / "texts" / name / f"{k}.txt").write_text(line)
    (folder / "a.conll").write_text("".join(f"Ann B-x\nhas O\n{k} B-y\n\n" for k in range(20)))
    (folder / "a.iob").write_text("".join(f"BOS from {k} EOS\tO O B-x ask\n" for k in range(20)))
    (folder / "texts.tsv").write_text("".join(f"text {k}\t{'ab'[k % 2]}\n" for k in range(20)))
    tones(folder / "sounds")
    (folder / "images.idx").write_bytes(idx(images()))
    (folder / "labels.idx").write_bytes(idx(np.arange(40) % 2))
    return folder


@pytest.mark.parametrize("name", SOURCES)
def test_source(name: str, files: Path) -> None:
    """It loads, the same each time, and becomes a data set of its task."""
    spec, needs = SOURCES[name]
    folders = DataFolders(files)
    pools = [create("source", spec).load(folders) for _ in range(2)]
    assert len(pools[0].columns["x"]) == len(pools[0].columns["y"]) == len(pools[0]) > 10
    assert all(pools[0].columns[key].tobytes() == pools[1].columns[key].tobytes() for key in ("x", "y"))
    prepare = [] if pools[0].texts else ["standardize"]
    section = SimpleNamespace(source=spec, split=None, prepare=prepare, prepare_target=[])
    data = [load(section, needs=needs, seed=0, folders=folders, dtype="float32") for _ in range(2)]
    assert data[0].fingerprint == data[1].fingerprint
    assert (data[0].classes is None) == (needs == "values")
    train = data[0].parts["train"].columns
    assert train["x"].dtype == (np.int64 if pools[0].texts else np.float32)
    assert train["x"].shape[1:] == data[0].shape
    dimensions = {"values": 2, "tokens": 2, "pairs": 2, "tags": 2, "steps": 2, "masks": 3}
    assert train["y"].ndim == dimensions.get(needs, 1)


@pytest.mark.parametrize("name", TASKS)
def test_task(name: str) -> None:
    """Its model passes the gradient check with its own loss, and its metrics and predictions are whole."""
    width = TASKS[name]
    rng, outputs = np.random.default_rng(0), max(width, 2)
    if name == "multi_task":
        objective, batch = heads_case(9, rng)
    elif name in ("language_model", "tagging"):
        objective, batch = text_case(width, 9, rng, task=name)
    elif name == "sequence_to_sequence":
        objective, batch = pairs_case(width, 9, rng)
    else:
        kind = "conv" if name == "segmentation" else "dense"
        shape = {"segmentation": (3, 4, 2), "event_detection": (4, 3)}.get(name, (4,))
        graph = graph_of({"graph": {"y": [{kind: 6}, "tanh", {kind: width}]}}, {"x": shape})
        objective, batch = objective_of(graph, name, outputs), batch_of(graph, name, 9, rng, outputs)
    bound = objective.task
    assert bound.task.units(bound.data) == width
    assert check_gradients(objective, batch, entries=10).passed
    mode = Mode(True)
    value = objective(batch, mode)
    tally = bound.tally()
    tally.add(value.loss, value.penalty, value.outputs, batch, mode.kernels(value.outputs[bound.wires[0]]))
    results = tally.results()
    assert list(results) == tally.names and all(np.isfinite(list(results.values())))
    assert results["loss"] == pytest.approx(value.loss)
    predictions = bound.predict(value.outputs)
    assert len(predictions) == 9
    for row in [head for whole in predictions for head in (whole.values() if name == "multi_task" else [whole])]:
        if "label" in row:
            assert sum(row["probabilities"].values()) == pytest.approx(1)
            assert max(row["probabilities"], key=row["probabilities"].__getitem__) == row["label"]


@pytest.mark.parametrize("name", HOOKS)
def test_hook(name: str) -> None:
    """Its state is JSON and says all: a hook that goes on from it does what the first one does."""

    def trainer() -> Any:
        goal = Goal("validation.loss", higher=False)
        found = SimpleNamespace(goal=goal, stopped=[], higher_is_better=lambda metric: False, journal=NoJournal())
        found.stop = lambda reason, restore_best: found.stopped.append((reason, restore_best))
        return found

    losses = (3.0, 2.0, 2.5, 2.0, 2.1, 1.0)
    records = [{"step": step, "validation": {"loss": loss}} for step, loss in enumerate(losses, start=1)]
    hook, run = create("hook", HOOKS[name]), trainer()
    for record in records[:3]:
        hook.after_evaluation(run, record)
    other, again = create("hook", HOOKS[name]), trainer()
    other.load_state(json.loads(json.dumps(hook.state())))
    for record in records[3:]:
        hook.after_evaluation(run, record)
        other.after_evaluation(again, record)
    assert other.state() == hook.state() and again.stopped == run.stopped


@pytest.mark.parametrize("name", EXPLORATIONS)
def test_exploration(name: str) -> None:
    """The seed decides, every sample gets its numbers, pictures are whole, and nothing is written to the data."""
    from xml.etree import ElementTree

    def found(x: np.ndarray, labels: np.ndarray | None) -> Any:
        classes = None if labels is None else ["a", "b", "c"]
        subject = Subject(x, np.arange(len(x)), labels, classes, names=["f0", "f1", "f2"], seed=3)
        return create("exploration", EXPLORATIONS[name]).explore(subject, told.append)

    told: list[str] = []
    labels = np.arange(60) % 3
    x = np.random.default_rng(0).normal(size=(60, 3)) + 20 * np.eye(3)[labels]
    x.setflags(write=False)
    first, again, bare = found(x, labels), found(x, labels), found(x, None)
    assert told and first.result == again.result and first.figures == again.figures
    assert first.shown and json.loads(json.dumps(first.result, allow_nan=False)) == first.result
    assert all(len(column) == 60 and np.isfinite(column).all() for column in first.columns.values())
    drawn = [ElementTree.fromstring(figure) for figure in first.figures.values()]
    words = {element.text for tree in drawn for element in tree.iter() if element.tag.endswith("text")}
    assert {"a", "b", "c"} <= words and bare.figures and bare.columns.keys() == first.columns.keys()


@pytest.mark.parametrize("name", VIEWS)
def test_view(name: str) -> None:
    """It gives the same pictures again, every number behind them is finite, and neither network nor picture change."""
    chain = [
        {"conv": {"filters": 4, "padding": "valid"}},
        "relu",
        {"conv": {"filters": 2, "kernel_size": 4, "padding": "valid"}},
    ]
    graph = build_model({"graph": {"map": chain, "logits": ["global_avg_pool"]}}, {"x": (6, 6, 3)})
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 3)).astype("float32")
    x.setflags(write=False)
    before, gradient = graph.vector.value.copy(), graph.vector.grad.copy()
    units = [Unit("a", "logits", 0), Unit("b", "logits", 1)]
    subject: Any = LookedAt(Inside(graph), x, units=units, window=(6, 6))
    if create("view", VIEWS[name]).reads == "text":
        chain = [{"embedding": {"vocabulary_size": 5, "units": 4}}, {"multi_head_attention": 2}]
        graph = build_model({"graph": {"y": chain}}, {"x": (3,)})
        before, gradient = graph.vector.value.copy(), graph.vector.grad.copy()
        subject = Reading(Inside(graph), {"x": np.array([[3, 1, 0]])}, {"x": ["a", "b"]}, [])
    first, again = (create("view", VIEWS[name]).look(subject, lambda text: None) for _ in range(2))
    assert (
        (first.sheets or first.figures)
        and first.figures == again.figures
        and first.lines
        and json.loads(json.dumps(first.result, allow_nan=False)) == again.result
    )
    assert all(np.isfinite(array).all() for array in first.arrays.values())
    for key, sheet in first.sheets.items():
        pictures = sheet.stacked()
        assert pictures.dtype == np.uint8 and pictures.shape[-1] == 3 and len(pictures) == len(sheet.labels) > 0
        np.testing.assert_array_equal(pictures, again.sheets[key].stacked())
    np.testing.assert_array_equal(graph.vector.value, before)
    np.testing.assert_array_equal(graph.vector.grad, gradient)


@pytest.mark.parametrize("name", DIMENSIONS)
def test_dimension(name: str) -> None:
    """Plain values, within the bounds, which both are reached; rising, and all levels equally wide."""
    spec, (*_, last) = DIMENSIONS[name]
    dimension, first = create("dimension", spec), DIMENSIONS[name][1][0]
    units = np.linspace(0, 1, 4201).tolist()
    values = [dimension.value(unit) for unit in units]
    assert (values[0], values[-1]) == (first, last)
    assert json.loads(json.dumps(values)) == values and {type(v) for v in values} <= {str, dict, int, float, type(None)}
    if dimension.ordered:
        assert all(low <= high for low, high in itertools.pairwise(values)) and len(set(values)) > 3
        assert all(len(repr(v)) <= 13 for v in values)  # a config remains readable
    else:
        assert [v for v, _ in itertools.groupby(values)] == DIMENSIONS[name][1]
    if dimension.levels is not None:
        counts = [len(list(group)) for _, group in itertools.groupby(values)]
        assert len(counts) == dimension.levels and max(counts) - min(counts) <= 2


@pytest.mark.parametrize("name", SAMPLERS)
def test_sampler(name: str) -> None:
    """Points inside the space, plain, conditions kept; the same again, also of one who joins in the middle."""
    space = Space(
        {
            "rate": {"log_uniform": [1e-4, 1.0]},
            "optimizer": {"choice": ["adam", "sgd"]},
            "optimizer.sgd.momentum": {"one_minus_log": {"bounds": [0.5, 0.99], "when": {"optimizer": "sgd"}}},
            "width": {"integer": [4, 9]},
        }
    )

    def play(until: int, join: int) -> list[Any]:
        """Ask and tell, two trials at a time; from the trial `join` on another sampler of the same kind is asked."""
        sampler, trials, found = create("sampler", SAMPLERS[name]), Trials(higher=False), []
        for number in range(1, until + 1):
            if number == join:
                sampler = create("sampler", SAMPLERS[name])
            if number > 2 and number % 2:
                for earlier in (number - 2, number - 1):
                    value = abs(math.log(trials.by_number[earlier].settings["rate"] / 0.02))
                    told = {"state": "complete", "value": value, "values": [value], "deviation": None, "reason": ""}
                    trials.see({"event": "told", "trial": earlier, "violation": 0.0, "seconds": 1.0, **told})
            proposal = sampler.propose(number, space, 7, trials)
            found.append(proposal)
            asked = {"point": proposal.point, "settings": proposal.settings, "round": proposal.round}
            trials.see({"event": "asked", "trial": number, **asked})
        return found

    proposals = play(25, 0)
    assert proposals == play(25, 0) == play(25, 8)
    for proposal in proposals:
        settings = proposal.settings
        assert all(0 <= unit <= 1 for unit in proposal.point.values()) and settings == space.settings(proposal.point)
        assert ("optimizer.sgd.momentum" in settings) == (settings["optimizer"] == "sgd")
        assert list(settings) == [path for path in space.dimensions if path in settings]
        assert json.loads(json.dumps([proposal.point, settings])) == [proposal.point, settings]
    assert len({json.dumps(proposal.settings) for proposal in proposals}) > 15
    if name != "grid":
        other = create("sampler", SAMPLERS[name]).propose(1, space, 8, Trials(higher=False))
        assert other != proposals[0]


@pytest.mark.parametrize("name", PRUNERS)
@pytest.mark.parametrize("higher", [True, False])
def test_pruner(name: str, higher: bool) -> None:
    """Each trial is in one bracket; few reach the end, the best among them, whatever the order of the results."""
    pruner, epochs, count = create("pruner", PRUNERS[name]), 16, 40
    quality = {n: math.sin(n * n) * (1 if higher else -1) for n in range(1, count + 1)}
    brackets = [pruner.bracket(n, count, epochs) for n in range(1, count + 1)]
    assert all(n in bracket.numbers for n, bracket in enumerate(brackets, 1))
    assert [n for first, group in itertools.groupby(brackets) for n in first.numbers] == list(range(1, count + 1))

    def play(order: list[int]) -> dict[int, int]:
        """Train the trials rung by rung in an order of their own; returns the rungs that each has passed."""
        trials = Trials(higher)
        trials.by_number = {n: Trial(n, {}, {}) for n in order}
        again = True
        while again:
            again = False
            for n in order:
                trial, bracket = trials.by_number[n], pruner.bracket(n, count, epochs)
                entered = bracket.survivors(len(trial.rungs), trials)
                assert bool(bracket.behind(trial, trials) if trial.rungs else "") == (
                    entered is not None and n not in entered
                )
                if entered is not None and n in entered and len(trial.rungs) < len(bracket.rungs):
                    reached = bracket.rungs[len(trial.rungs)]
                    trial.rungs.append({"epochs": reached, "value": quality[n], "violation": 0.0})
                    again = True
        return {n: len(trials.by_number[n].rungs) for n in range(1, count + 1)}

    passed = play(list(range(1, count + 1)))
    assert passed == play(list(range(count, 0, -1))) == play(sorted(quality, key=lambda n: math.cos(n)))
    for bracket in {b.numbers: b for b in brackets}.values():
        assert bracket.rungs == sorted(set(bracket.rungs)) and all(0 < rung < epochs for rung in bracket.rungs)
        if len(bracket.numbers) > 1 and bracket.rungs:
            best = max(bracket.numbers, key=lambda n: quality[n] if higher else -quality[n])
            assert passed[best] == len(bracket.rungs)
            assert sum(passed[n] > 1 for n in bracket.numbers) <= max(1, len(bracket.numbers) // 2)


@pytest.fixture(scope="module")
def healthy() -> Any:
    """A checkup of a small network on many points, in which nothing is wrong."""
    source = {"moons": {"samples": 800, "noise": 0.1}}
    data = {"source": source, "split": {"random": {"validation": 200, "test": 0}}}
    model = {"graph": {"logit": [{"dense": 32}, "relu", "dense"]}}
    whole = {"task": "binary_classification", "data": data, "model": model, "optimizer": {"adam": 0.01}}
    return Checkup(config.from_mapping(whole))


def as_promised(verdicts: Any) -> list[str]:
    """Severities of verdicts, each of which says what was found, and what to do where something is wrong."""
    for verdict in verdicts:
        assert verdict.what and (verdict.advice or verdict.severity in ("fine", "skipped"))
        json.dumps(verdict.evidence, allow_nan=False)
    return [verdict.severity for verdict in verdicts]


@pytest.mark.parametrize("name", RULES)
def test_rule(name: str, healthy: Any) -> None:
    """It leaves a healthy network in peace, changes nothing, and says the same again."""
    before = healthy.session.graph.vector.value.copy()
    examine = registry.entries("rule")[name].make
    found = as_promised(list(examine(healthy)))
    assert found == as_promised(list(examine(healthy))) == (["fine"] if name in TRIALS else [])
    np.testing.assert_array_equal(healthy.session.graph.vector.value, before)


@pytest.mark.parametrize("name", DIAGNOSES)
def test_diagnosis(name: str) -> None:
    """It says nothing of a run that went well, and nothing of one of which nothing is known."""
    errors = {part: Measured(0.02, 1000) for part in ("train", "train_dev", "validation", "test")}
    losses = {"train": [1.0, 0.5, 0.3, 0.25, 0.22, 0.21], "validation": [1.0, 0.55, 0.35, 0.3, 0.28, 0.279]}
    layers = Health([Activity("h.1.relu", "relu", 0.4, 0.6, dead=0.1)], [Pull(f"h.{k}.dense", 0.1) for k in range(5)])
    diagnose = registry.entries("diagnosis")[name].make
    for course in (Course({}), Course(errors, 0.01, losses, [0.1, 0.05, 0.02, 0.01, 0.01, 0.0], {}, layers)):
        assert as_promised(list(diagnose(course))) == []


@pytest.mark.parametrize("name", LINTS)
def test_lint(name: str) -> None:
    """It leaves sound data in peace, and changes nothing."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    x = rng.standard_normal((300, 4)) + y[:, None]
    data = of_rows(x[:200], x[200:], y)
    columns = {part: examples.columns["x"].copy() for part, examples in data.parts.items()}
    assert as_promised(list(registry.entries("lint")[name].make(data))) == []
    for part, before in columns.items():
        np.testing.assert_array_equal(data.parts[part].columns["x"], before)
