"""Attention: what may be seen and what not, in strips, step by step; and states that are wires."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from dltrain import build_model
from dltrain.errors import ConfigError, DataError
from dltrain.kernels import namespace, select
from dltrain.layers.base import Array
from dltrain.model.graph import Graph
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode

ATTENTIONS: dict[str, dict[str, Any]] = {
    "multi_head_attention": {"heads": 2, "units": 4},
    "luong_attention": {},
    "additive_attention": {"units": 5},
}


def drawn(*shape: int, seed: int = 0) -> Array:
    """Normal numbers."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def attending(kind: str, steps: int, others: int, dtype: str = "float64", **options: Any) -> Graph:
    """A layer that attends to a memory with a mask."""
    layer = {kind: {**ATTENTIONS[kind], **options, "with": ["m", "mask"]}}
    inputs = {"x": [steps, 3], "m": [others, 2], "mask": [others]}
    return build_model({"inputs": inputs, "graph": {"y": [{"from": "x"}, layer]}}, dtype=dtype)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_padding_of_the_memory_changes_nothing(kind: str) -> None:
    """Other padding, or more of it: the same output and gradients, and none for the padding."""
    x, m, mask, found = drawn(4, 3, 3), drawn(4, 6, 2), np.ones((4, 6)), []
    mask[:2, 4:] = 0
    for steps, fill in ((6, 0.0), (6, 1e3), (9, -7.0)):
        memory, valid = np.full((4, steps, 2), fill), np.zeros((4, steps))
        memory[:, :6], valid[:, :6] = np.where(mask[..., None] > 0, m, fill), mask
        graph = attending(kind, 3, steps)
        outputs, backward = graph.forward({"x": x, "m": memory, "mask": valid})
        back = backward({"y": drawn(*outputs["y"].shape)})
        assert not back["m"][valid == 0].any() and back["m"][valid > 0].any() and back["x"].any()
        found.append([outputs["y"], back["x"], back["m"][:, :6], *(p.grad for p in graph.parameters.values())])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_where_no_step_may_be_seen_there_is_nothing(kind: str) -> None:
    for kernels in ("reference", "auto"):
        graph = attending(kind, 3, 5, "float32", **({"use_bias": False} if kind == "multi_head_attention" else {}))
        mask = np.ones((2, 5), np.float32)
        mask[1] = 0
        inputs = {"x": drawn(2, 3, 3).astype("f"), "m": drawn(2, 5, 2).astype("f"), "mask": mask}
        mode = Mode(kernels=select(kernels))
        outputs, backward = graph.forward(inputs, mode=mode)
        back = backward({"y": np.ones_like(outputs["y"])})
        assert outputs["y"][0].all() and not outputs["y"][1].any()
        assert back["m"][0].any() and not back["m"][1].any() and np.isfinite(back["x"]).all()


def test_a_causal_step_sees_none_after_it() -> None:
    layer = {"multi_head_attention": {"heads": 2, "causal": True}}
    graph = build_model({"graph": {"y": [layer]}}, {"x": (6, 4)}, dtype="float64")
    x = drawn(2, 6, 4)
    y = graph.forward({"x": x})[0]["y"]
    for t in range(1, 6):
        other = x.copy()
        other[:, t:] += 5
        changed = (graph.forward({"x": other})[0]["y"] != y).any((0, 2))
        assert not changed[:t].any() and changed[t:].all()
        dy = np.zeros_like(y)
        dy[:, t - 1] = 1
        dx = graph.forward({"x": x})[1]({"y": dy})["x"]
        assert not dx[:, t:].any() and dx[:, :t].any()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("additive", [False, True])
@pytest.mark.parametrize("shape", [(64, 64), (65, 63), (150, 70), (1, 300)])
def test_strips_of_scores_are_joined_rightly(shape: tuple[int, int], additive: bool, causal: bool) -> None:
    """More steps than one strip takes, and sums longer than one part: as the reference says, both ways."""
    plain, fast, (T, S), heads = namespace("reference"), namespace("compiled"), shape, 3
    q, k, v, dy = drawn(2, T, 9), drawn(2, S, 9, seed=1), drawn(2, S, 6, seed=2), drawn(2, T, 6, seed=3)
    w, mask = drawn(9) if additive else None, (drawn(2, S, seed=4) > -1).astype(float)
    found: list[list[Array]] = []
    for kernels, dtype in ((plain, "float64"), (fast, "float32")):
        given = [None if a is None else a.astype(dtype) for a in (q, k, v, w, mask)]
        how = (*given, heads, causal, 0.4)
        out, rows = np.full((2, T, 6), np.nan, dtype), np.full((2, 2, heads, T), np.nan, dtype)
        kernels.attention(*how, out, rows, np.empty)
        back = [np.full(a.shape, np.nan, dtype) for a in (q, k, v)]
        dw = np.ones(9, dtype) if additive else None
        kernels.attention_backward(*how, out, rows, dy.astype(dtype), *back, dw, True, np.empty)
        found.append([out, *back, *([] if dw is None else [dw])])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=2e-5 * max(1.0, np.abs(a).max()))


def test_the_weights_are_not_kept() -> None:
    """A step of training asks for no memory of the size of all steps times all steps."""
    steps, asked = 300, []
    graph = build_model({"graph": {"y": [{"multi_head_attention": 2}]}}, {"x": (steps, 4)})
    mode = Mode(True)
    mode.empty = lambda shape, dtype: asked.append(int(np.prod(shape))) or np.empty(shape, dtype)  # type: ignore[func-returns-value]
    outputs, backward = graph.forward({"x": drawn(1, steps, 4).astype("f")}, mode=mode)
    backward({"y": outputs["y"]})
    assert 0 < max(asked) < steps * steps / 10


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_weights_are_those_of_the_mean(kind: str) -> None:
    graph = attending(kind, 3, 5)
    node, mode = graph.nodes[0], Mode()
    mode.node = node
    mask = np.array([[1, 1, 0, 1, 0]] * 2, float)
    memory = np.broadcast_to(np.eye(5)[None, :, :2], (2, 5, 2)).copy()
    weights = node.layer.weights(mode, drawn(2, 3, 3), memory, mask)  # type: ignore[attr-defined]
    assert weights.shape == (2, 2 if kind == "multi_head_attention" else 1, 3, 5)
    np.testing.assert_allclose(weights.sum(-1), 1)
    assert not weights[..., mask[0] == 0].any() and np.ptp(weights, axis=2).max() > 0.01
    if kind != "multi_head_attention":  # the mean of the first two unit vectors shows their weights
        y = graph.forward({"x": drawn(2, 3, 3), "m": memory, "mask": mask})[0]["y"]
        np.testing.assert_allclose(y, weights[:, 0, :, :2])


@pytest.mark.parametrize("dtype", ["float64", "float32"])  # the reference, and the compiled kernels
def test_a_mask_goes_on_step_by_step(dtype: str) -> None:
    """A causal layer with a mask of its own steps sees earlier steps as they were masked then."""
    chain = [{"multi_head_attention": {"heads": 2, "causal": True, "with": {"mask": "mask"}}}]
    spec = {"inputs": {"x": [5, 4], "mask": [5]}, "graph": {"y": [{"from": "x"}, *chain]}}
    graph = build_model(spec, {"x": (5, 4), "mask": (5,)}, dtype=dtype)
    x, mask = drawn(2, 5, 4).astype(dtype), np.array([[1, 0, 1, 1, 1], [1, 1, 1, 0, 1]], dtype)
    at_once = graph.forward({"x": x, "mask": mask})[0]["y"]
    step, mode = graph.part(graph.nodes, {"x": (1, 4), "mask": (1,)}), Mode(backward=False)
    mode.states, mode.stepwise = {}, True
    for t in range(5):
        mode.begin(t, 2)
        said = step.forward({"x": x[:, t : t + 1], "mask": mask[:, t : t + 1]}, mode=mode)[0]["y"][:, 0]
        np.testing.assert_allclose(said, at_once[:, t], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kernels", ["reference", "compiled"])
def test_what_is_not_a_number_stays_so(kernels: str) -> None:
    graph = build_model({"graph": {"y": [{"multi_head_attention": 1}]}}, {"x": (4, 8)})
    graph.parameters["y.0.multi_head_attention.query_kernel"].value[0, 0] = np.nan
    mode = Mode(False, kernels=select(kernels), backward=False)
    mode.begin(0, 2)
    assert np.isnan(graph.forward({"x": drawn(2, 4, 8).astype(np.float32)}, mode=mode)[0]["y"]).all()


@pytest.mark.parametrize("positions", ["position_embedding", "sinusoidal_positions"])
def test_step_by_step_is_at_once(positions: str) -> None:
    chain = [
        positions,
        {"multi_head_attention": {"heads": 2, "causal": True}},
        {"gru": {"units": 3, "return_sequences": True}},
    ]
    graph = build_model({"graph": {"y": chain}}, {"x": (5, 4)}, dtype="float64")
    x = drawn(2, 5, 4)
    at_once = graph.forward({"x": x})[0]["y"]
    step, mode = graph.part(graph.nodes, {"x": (1, 4)}), Mode(backward=False, arena=Arena())
    mode.states, mode.stepwise = {}, True
    for t in range(5):
        mode.begin(t, 2)
        np.testing.assert_allclose(step.forward({"x": x[:, t : t + 1]}, mode=mode)[0]["y"][:, 0], at_once[:, t])
    assert {state.shape[1] for state in mode.states.values()} == {2}  # so that beams can be put in another order
    with pytest.raises(DataError, match="longer than those the model was built for"):
        step.forward({"x": x[:, :1]}, mode=mode)


@pytest.mark.parametrize(
    ("kind", "parts"), [("simple_rnn", 1), ("gru", 1), ("simple_gru", 1), ("lstm", 1), ("lstm", 2)]
)
@pytest.mark.parametrize("kernels", ["reference", "auto"])
def test_a_state_that_is_a_wire(kind: str, parts: int, kernels: str) -> None:
    """It does what a state kept from earlier steps does, and its gradient is that of the loss."""
    inputs, dtype = {"x": [3, 2], "s": [5 * parts]}, "float32" if kernels == "auto" else "float64"
    layer = {kind: {"units": 5, "return_sequences": True, "with": {"state": "s"}}}
    graph = build_model({"inputs": inputs, "graph": {"y": [{"from": "x"}, layer]}}, dtype=dtype)
    x, state = drawn(4, 3, 2).astype(dtype), drawn(4, 5 * parts).astype(dtype)
    y, backward = graph.forward({"x": x, "s": state}, mode=Mode(kernels=select(kernels)))
    kept = Mode(kernels=select(kernels))
    first = np.zeros((2, 4, 5), dtype)
    first[:parts] = state.reshape(4, parts, 5).swapaxes(0, 1)
    kept.states = {f"y.1.{kind}/0": first}
    expected = graph.forward({"x": x, "s": np.zeros_like(state)}, mode=kept)[0]["y"]
    np.testing.assert_array_equal(y["y"], expected)
    weights = drawn(*y["y"].shape).astype(dtype)
    slope, way = backward({"y": weights})["s"], drawn(4, 5 * parts, seed=9).astype(dtype)
    wide = graph.astype("float64")
    ends = [(wide.forward({"x": x, "s": state.astype(float) + h * way})[0]["y"] * weights).sum() for h in (-1e-6, 1e-6)]
    assert abs((ends[1] - ends[0]) / 2e-6 - (slope * way).sum()) < (1e-3 if kernels == "auto" else 1e-7)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"multi_head_attention": {"heads": 3, "units": 4}}, "3 heads do not divide 4 units"),
        ({"multi_head_attention": {"heads": 2, "with": {"memory": "v"}}}, "takes sequences"),
        ({"multi_head_attention": {"heads": 2, "with": {"mask": "m"}}}, "one value for each time step"),
        ({"multi_head_attention": {"heads": 2, "with": {"keys": "m"}}}, "the layer takes no such wire.*memory, mask"),
        ({"multi_head_attention": {"heads": 2, "with": ["m", "m", "m"]}}, r"does not take so many wires.*at most 2"),
        ({"luong_attention": {"score": "dot", "with": "m"}}, "as wide as those of the memory.*3 features"),
        ({"gru": {"units": 4, "with": {"state": "v"}}}, r"the first state is as wide as the layer's.*\(4,\)"),
        ({"lstm": {"units": 4, "with": {"state": "v"}}}, r"\(4,\) or \(8,\)"),
        ({"dense": {"units": 4, "with": {"mask": "v"}}}, "the layer takes no such wire"),
        ({"add": {"with": {"mask": "v"}}}, "the layer takes no such wire"),
    ],
)
def test_wires_that_do_not_fit(layer: dict[str, Any], words: str) -> None:
    shapes = {"x": [5, 2], "m": [4, 3], "v": [3]}
    inputs = {wire: shape for wire, shape in shapes.items() if wire == "x" or f"'{wire}'" in repr(layer)}
    with pytest.raises(ConfigError) as error:
        build_model({"inputs": inputs, "graph": {"y": [{"from": "x"}, layer]}})
    assert re.search(words, str(error.value), re.DOTALL), str(error.value)
