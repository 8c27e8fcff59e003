"""What a model costs, counted by hand and compared."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dltrain.layers.base import Layer
from dltrain.model.graph import Graph
from dltrain.model.notation import parse_model
from dltrain.model.summary import Summary, bytes_text, memory_line, short, summarize, table


def graph(model: dict[str, Any], dtype: str = "float32", **shapes: tuple[int, ...]) -> Graph:
    return Graph(parse_model(model, input_wires=tuple(shapes)), shapes, dtype)


def mlp(dtype: str = "float32") -> Graph:
    chains = {"h": [{"dense": 30}, "batch_norm", "relu"], "y": [{"dense": {"units": 10, "use_bias": False}}]}
    return graph({"graph": chains}, dtype, x=(64,))


def test_counts_of_a_dense_network() -> None:
    summary = summarize(mlp(), 8, SimpleNamespace(slots=2))
    assert [(row.path, row.output_shape, row.parameters, row.macs) for row in summary.rows] == [
        ("h.0.dense", (30,), 64 * 30 + 30, 64 * 30),
        ("h.1.batch_norm", (30,), 60, 30),
        ("h.2.relu", (30,), 0, 0),
        ("y.0.dense", (10,), 300, 300),
    ]
    assert summary.parameters == 2310 and summary.macs == 2250
    assert summary.memory == {
        "parameters": 4 * (2310 + 60),
        "gradients": 4 * 2310,
        "optimizer": 2 * 4 * 2310,
        "activations": 8 * 4 * (64 + 30 + 30 + 30 + 10),
    }
    assert summary.memory_bytes == sum(summary.memory.values())
    assert all(row.receptive_field is None for row in summary.rows)


def test_float64_takes_twice_the_memory_and_no_optimizer_none() -> None:
    single, double = summarize(mlp(), 4), summarize(mlp("float64"), 4)
    assert double.memory_bytes == 2 * single.memory_bytes
    assert single.memory["optimizer"] == 0


def test_json_contract() -> None:
    made = summarize(mlp(), 8).as_json()
    assert set(made) == {"layers", "parameters", "frozen", "macs", "memory_bytes"}
    assert made["layers"][0] == {
        "path": "h.0.dense",
        "kind": "dense",
        "output_shape": [30],
        "parameters": 1950,
        "macs": 1920,
    }


def test_shared_weights_count_once() -> None:
    chains = {
        "a": [{"from": "x"}, {"dense": 4}],
        "b": [{"from": "z"}, {"reuse": "a"}],
        "y": [{"concat": {"with": "a"}}],
    }
    summary = summarize(graph({"graph": chains}, x=(8,), z=(8,)), 2)
    assert summary.parameters == 36 and summary.macs == 64
    assert [row.shared for row in summary.rows] == [False, True, False]
    assert "shared" in draw(summary, 80)


class Window(Layer):
    """Stands for a convolution or pooling along one axis."""

    def __init__(self, size: int, stride: int) -> None:
        self.size, self.stride = size, stride

    def build(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        return shapes[0]

    def forward(self, mode: Any, *inputs: Any) -> Any:
        raise NotImplementedError

    def window(self) -> tuple[int, int]:
        return self.size, self.stride


def windows(*nodes: tuple[str, int, int, tuple[int, ...], tuple[str, ...]]) -> Any:
    """A graph of windows: path, kernel size, stride, output shape, inputs."""
    made = [
        SimpleNamespace(path=path, kind="conv", layer=Window(k, s), inputs=inputs, shape=shape)
        for path, k, s, shape, inputs in nodes
    ]
    inputs = {"x": (64, 1)}
    return SimpleNamespace(plan_nodes=made, inputs=inputs, parameters={}, statistics={}, dtype=np.dtype("float32"))


def test_receptive_field() -> None:
    # VGG-like: 3, 3, pool 2/2, 3, 3, pool 2/2 sees 3, 5, 6, 10, 14, 16.
    names = "abcdef"
    sizes = [(3, 1), (3, 1), (2, 2), (3, 1), (3, 1), (2, 2)]
    chain = [
        (n, k, s, (8, 1), (names[i - 1] if i else "x",)) for i, (n, (k, s)) in enumerate(zip(names, sizes, strict=True))
    ]
    assert [row.receptive_field for row in summarize(windows(*chain), 1).rows] == [3, 5, 6, 10, 14, 16]


@pytest.mark.parametrize(
    ("larger", "seen"),
    [
        ({"up_sample": 2}, 10),
        ({"up_sample": {"size": 2, "interpolation": "bilinear"}}, 12),
        ({"conv_transpose": {"filters": 4, "kernel_size": 4, "strides": 2}}, 12),
        ("pixel_shuffle", 10),
    ],
)
def test_neighbours_move_together_where_an_image_grows(larger: Any, seen: int) -> None:
    # 3, pool 2/2, 3 see 3, 4, 8 points; behind the larger image neighbours are one point apart again: 3 sees 2 more.
    conv = {"conv": {"filters": 4, "kernel_size": 3}}
    model = graph({"graph": {"y": [conv, "max_pool", conv, larger, conv]}}, x=(16, 16, 1))
    assert summarize(model, 1).rows[-1].receptive_field == seen


def test_receptive_field_of_branches_is_the_widest() -> None:
    made = windows(
        ("a", 3, 1, (8, 1), ("x",)),
        ("b", 7, 1, (8, 1), ("x",)),
        ("c", 1, 1, (8, 2), ("a", "b")),
        ("d", 3, 1, (8,), ("c",)),
    )
    summary = summarize(made, 1)
    assert [row.receptive_field for row in summary.rows] == [3, 7, 7, None]
    assert "sees" in draw(summary, 60)


def draw(summary: Summary, width: int) -> str:
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(table(summary, width))
    return capture.get()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_table_is_complete_at_any_width(width: int) -> None:
    chains = {"body": [{"keep": {"units": 64, "repeat": 2}}], "logits": [{"dense": 10}]}
    blocks = {"dense_bn": [{"dense": "$units"}, "batch_norm"], "keep": [{"residual": [{"dense_bn": "$units"}, "relu"]}]}
    summary = summarize(graph({"blocks": blocks, "graph": chains}, x=(64,)), 32, SimpleNamespace(slots=2))
    text = draw(summary, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    squeezed = "".join(text.split())
    for row in summary.rows:
        assert row.path in squeezed or width <= 80  # a long path goes over two lines in a narrow table
    assert ("9,226" if width >= 80 else "9.23k") in text
    assert "total" in text and "memory at batch size 32" in " ".join(text.split())


def test_narrow_table_keeps_paths_in_one_piece_where_they_fit() -> None:
    lines = draw(summarize(mlp(), 8), 60).splitlines()
    assert any(line.startswith(" h.1.batch_norm ") and " 60 " in line for line in lines)


def test_numbers_for_people() -> None:
    assert [short(n) for n in (0, 999, 1000, 1234, 999_999, 12_345_678, 10**10)] == [
        "0",
        "999",
        "1k",
        "1.23k",
        "1M",
        "12.3M",
        "10G",
    ]
    assert [bytes_text(n) for n in (0, 1023, 1024, 1_047_552, 5 * 2**30)] == [
        "0 B",
        "1023 B",
        "1 KiB",
        "1023 KiB",
        "5 GiB",
    ]
    assert memory_line(summarize(mlp(), 1)).startswith("memory at batch size 1: ")
