"""Layers of sequences against PyTorch, masks, and states that are carried over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import LAYERS, Layer
from checks import Bench, length_does_not_matter
from sequence_parity import CASES, LENGTHS, SIZE, STEPS, WIDTH
from small_models import graph_of

from dltrain import build_model
from dltrain.errors import ConfigError, DataError
from dltrain.kernels import select
from dltrain.model.graph import Graph
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode

CELLS = ("simple_rnn", "gru", "simple_gru", "lstm")
MASK = (np.arange(STEPS) < np.array(LENGTHS)[:, None]).astype(float)


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    """PyTorch's results, by `case/what`."""
    file = Path(__file__).with_name("fixtures") / "sequences.npz"
    assert file.stat().st_size < 500_000
    with np.load(file) as arrays:
        return dict(arrays)


def chain(name: str, dtype: str) -> Graph:
    """The graph of a case."""
    case = CASES[name]
    shapes = {"x": (STEPS,) if case.tokens else (STEPS, WIDTH)} | ({"mask": (STEPS,)} if case.masked else {})
    model = {"inputs": {wire: list(s) for wire, s in shapes.items()}, "graph": {"y": [{"from": "x"}, *case.chain]}}
    return graph_of(model, shapes, dtype=dtype)


def stored_path(path: str) -> str:
    """A parameter's path in the stored results, whose chains have no `from` before their first layer."""
    wire, place, rest = path.split(".", 2)
    return f"{wire}.{int(place) - 1}.{rest}"


@pytest.mark.parametrize(
    ("dtype", "kernels", "tolerance"),
    [("float64", "reference", 1e-10), ("float32", "reference", 1e-5), ("float32", "auto", 1e-5)],
)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_pytorchs(
    name: str, dtype: str, kernels: str, tolerance: float, stored: dict[str, np.ndarray]
) -> None:
    here = {key.removeprefix(f"{name}/"): array for key, array in stored.items() if key.startswith(f"{name}/")}
    graph = chain(name, dtype)
    for path, parameter in graph.parameters.items():
        parameter.value[...] = here[f"value/{stored_path(path)}"]
    graph.changed()
    mode = Mode(False, kernels=select(kernels), arena=Arena())
    inputs = {"x": here["x"] if CASES[name].tokens else here["x"].astype(dtype)}
    inputs |= {"mask": MASK.astype(dtype)} if CASES[name].masked else {}
    for _ in range(2):  # the second time in planned memory
        mode.begin(0)
        graph.zero_grad()
        outputs, backward = graph.forward(inputs, mode=mode)
        found = {"y": outputs["y"].copy()}
        found |= {f"d{wire}": dx for wire, dx in backward({"y": here["weights"].astype(dtype)}).items()}
        found.pop("dmask", None)
        found |= {f"grad/{stored_path(path)}": p.grad for path, p in graph.parameters.items()}
        assert set(found) == {key for key in here if key == "y" or key.startswith(("dx", "grad/"))}
        for key, value in found.items():
            assert value.shape == here[key].shape
            assert np.abs(value - here[key]).max() <= tolerance * max(1.0, np.abs(here[key]).max()), key


def recurrent(kind: str, steps: int, **options: Any) -> Graph:
    """A model of one recurrent layer that reads a mask."""
    spec = {kind: {"units": 5, "with": "mask", **options}}
    return build_model(
        {"inputs": {"x": [steps, 3], "mask": [steps]}, "graph": {"y": [{"from": "x"}, spec]}}, seed=3, dtype="float64"
    )


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", CELLS)
def test_padding_changes_nothing(kind: str, backwards: bool) -> None:
    """Other padding, or more of it: the same output and the same gradients, and none for the padding."""
    x, mask = np.random.default_rng(0).standard_normal((4, 6, 3)), np.ones((4, 6))
    mask[:2, 4:] = 0
    found = []
    for steps, fill in ((6, 0.0), (6, 1e3), (9, -7.0)):
        long, valid = np.full((4, steps, 3), fill), np.zeros((4, steps))
        long[:, :6], valid[:, :6] = np.where(mask[..., None] > 0, x, fill), mask
        graph = recurrent(kind, steps, go_backwards=backwards)
        outputs, backward = graph.forward({"x": long, "mask": valid})
        dx = backward({"y": np.ones((4, 5))})["x"]
        assert not dx[valid == 0].any() and dx[valid > 0].any()
        found.append([outputs["y"], dx[:, :6], *(p.grad for p in graph.parameters.values())])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", CELLS)
def test_a_state_carried_over_equals_one_long_sequence(kind: str) -> None:
    x = np.random.default_rng(1).standard_normal((4, 9, 3)).astype(np.float32)
    layer = {"graph": {"y": [{kind: {"units": 5, "return_sequences": True}}]}}
    whole = build_model(layer, {"x": (9, 3)}).forward({"x": x})[0]["y"]
    short = build_model(layer, {"x": (3, 3)})
    for kernels in ("reference", "auto"):
        mode = Mode(False, kernels=select(kernels), arena=Arena())
        mode.states = {}
        for start, rows in ((0, 4), (3, 4), (6, 2)):  # at the end only two of the texts go on
            mode.begin(start, rows)
            part = short.forward({"x": x[:rows, start : start + 3]}, mode=mode)[0]["y"]
            np.testing.assert_allclose(part, whole[:rows, start : start + 3], atol=1e-6)


def test_the_same_units_are_dropped_in_all_steps() -> None:
    """With U = 1 and nothing else, a unit whose state U does not see adds up nothing."""
    spec = {"units": 200, "activation": "relu", "return_sequences": True, "recurrent_dropout": 0.5}
    ones = {"kernel_initializer": "ones", "recurrent_initializer": "identity"}
    model = build_model({"graph": {"y": [{"simple_rnn": {**spec, **ones}}]}}, {"x": (3, 1)})
    y = model.forward({"x": np.ones((2, 3, 1))}, train=True)[0]["y"]
    assert {tuple(unit) for unit in y[0].T.tolist()} == {(1.0, 1.0, 1.0), (1.0, 3.0, 7.0)}
    assert 0.35 < (y[:, 2] == 7).mean() < 0.65 and (y[0] != y[1]).any()
    assert (model.forward({"x": np.ones((2, 3, 1))})[0]["y"][0].T == [1, 2, 3]).all()


def test_tokens_out_of_the_vocabulary() -> None:
    model = build_model({"graph": {"y": [{"embedding": {"vocabulary_size": 3, "units": 2}}]}}, {"x": (2,)})
    for bad in (3, -1, 0.5):
        with pytest.raises(DataError, match="not in the vocabulary"):
            model.forward({"x": np.array([[0, bad]])})


@pytest.mark.parametrize(
    ("graph", "shapes", "words"),
    [
        ([{"lstm": 4}], {"x": (5,)}, "takes sequences.*embedding"),
        ([{"gru": {"units": 4, "with": "m"}}], {"x": (5, 2), "m": (4,)}, "one value for each time step"),
        (["masked_mean"], {"x": (5, 2)}, "joins several wires"),
        ([{"embedding": {"vocabulary_size": 3, "units": 2}}], {"x": (5, 2)}, "sequences of tokens"),
        ([{"embedding": {"vocabulary_size": 3, "units": 2, "padding": 3}}], {"x": (5,)}, "the padding 3 is no token"),
        ([{"dense": {"units": 4, "with": "m"}}], {"x": (5,), "m": (5,)}, "dense takes one wire"),
    ],
)
def test_shapes_that_do_not_fit(graph: list[Any], shapes: dict[str, Any], words: str) -> None:
    inputs = {wire: list(shape) for wire, shape in shapes.items()}
    with pytest.raises(ConfigError) as error:
        build_model({"inputs": inputs, "graph": {"y": [{"from": "x"}, *graph]}})
    assert re.search(words, str(error.value), re.DOTALL)


def test_dense_and_dropout_treat_each_step_alike() -> None:
    """What other toolkits have a time-distributed wrapper for."""
    model = build_model({"graph": {"y": [{"dense": 2}]}}, {"x": (4, 3)}, dtype="float64")
    x = np.random.default_rng(0).standard_normal((SIZE, 4, 3))
    one = build_model({"graph": {"y": [{"dense": 2}]}}, {"x": (3,)}, dtype="float64")
    y = model.forward({"x": x})[0]["y"]
    for t in range(4):
        np.testing.assert_allclose(y[:, t], one.forward({"x": x[:, t]})[0]["y"])


def of_sequences(case: Layer) -> bool:
    """Whether its first input is a sequence of vectors or tokens."""
    return len(case.shapes[0]) == (1 if case.integers else 2) and case.shapes[0][0] > 2


SEQUENCES = [case for case in LAYERS if of_sequences(case)]
ANY_LENGTH = [case for case in SEQUENCES if Bench(case).graph.plan_nodes[0].layer.any_length]


@pytest.mark.parametrize("case", ANY_LENGTH, ids=lambda case: case.name)
def test_a_sequence_may_end_early(case: Layer) -> None:
    length_does_not_matter(case)


def test_a_layer_that_is_made_for_one_length_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {case.kind for case in ANY_LENGTH}
    assert kinds >= {"embedding", "lstm", "gru", "simple_rnn", "conv", "dense", "masked_mean", "masked_max"}
    fixed = next(case for case in SEQUENCES if case.kind == "position_embedding")
    monkeypatch.setattr("dltrain.layers.embedding.placed", lambda mode, table, x: table[-x.shape[1] :])
    with pytest.raises((AssertionError, ValueError)):
        length_does_not_matter(fixed)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_packed_weights_are_those_of_now(kind: str) -> None:
    """What inference packs once is packed anew when the weights are others, and says the same as a training pass."""
    spec = {"graph": {"y": [{kind: {"units": 20, "return_sequences": True}}]}}
    first, second = (build_model(spec, {"x": (5, 3)}, seed=seed) for seed in (1, 2))
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)

    def inference(model: Any) -> np.ndarray:
        mode = Mode(False, kernels=select("compiled"), backward=False)
        mode.begin(0, len(x))
        return np.asarray(model.forward({"x": x}, mode=mode)[0]["y"]).copy()

    before = inference(first)
    first.load_state(second.state())
    assert np.abs(inference(first) - before).max() > 0.01
    np.testing.assert_array_equal(inference(first), inference(second))
    np.testing.assert_allclose(inference(first), second.forward({"x": x}, train=True)[0]["y"], rtol=0, atol=1e-6)
