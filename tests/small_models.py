"""Small models with a loss and a batch, some of them random, for the tests of gradients and of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from dltrain.data.loader import Batch
from dltrain.model.graph import Graph
from dltrain.model.notation import parse_model
from dltrain.registry import create
from dltrain.tasks import Bound
from dltrain.training.objective import Objective

TASKS = ("classification", "binary_classification", "regression")
SMOOTH = ("tanh", "sigmoid", "linear", "softmax", "log_softmax", "gelu", "softplus", {"swish": 0.8})
PIECEWISE = ("relu", {"leaky_relu": 0.2}, "relu6", "selu", {"elu": 0.7}, "hard_tanh", "hard_sigmoid", "prelu")


def graph_of(model: Mapping[str, Any], shapes: Mapping[str, Any], units: Any = None, **options: Any) -> Graph:
    """A graph from a model in the notation."""
    plan = parse_model(model, output_units=units, input_wires=list(shapes))
    return Graph(plan, {wire: tuple(shape) for wire, shape in shapes.items()}, **options)


def objective_of(graph: Graph, task: str, outputs: int = 3, penalties: Sequence[Any] = ()) -> Objective:
    """The objective of a graph whose last wire has the width that the task wants."""
    names = [str(i) for i in range(outputs)]
    shape = next(iter(graph.inputs.values()))
    layout = {"events": {"steps": shape[0], "seconds": 1.0}}
    data: Any = SimpleNamespace(classes=names, target_names=names, shape=shape, layout=layout)
    bound = Bound(create("task", task), data, graph.outputs[-1], None, None)
    bound.check(graph)
    return Objective(graph, bound, [create("regularizer", spec) for spec in penalties])


HEADS = {
    "kind": {"target": "kind"},
    "size": {"task": "regression", "target": ["height", "width"], "weight": 0.3, "loss": {"huber": 0.5}},
    "help": {"task": {"classification": {"class_weight": [1.0, 2.0, 0.5]}}, "target": "kind", "training_only": True},
    "tags": {"task": {"multi_label": {"class_weight": {"blue": 2.0}}}, "target": ["red", "blue"]},
}


def heads_case(size: int, rng: np.random.Generator, **options: Any) -> tuple[Objective, Batch]:
    """A model with four heads, two on one target and two on one wire, and a batch."""
    names = list("abc")
    data: Any = SimpleNamespace(
        heads={
            "kind": {"classes": names, "target_names": ["kind"], "columns": [0, 1]},
            "size": {"classes": None, "target_names": ["height", "width"], "columns": [1, 3]},
            "help": {"classes": names, "target_names": ["kind"], "columns": [3, 4]},
            "tags": {"classes": None, "target_names": ["red", "blue"], "columns": [4, 6]},
        }
    )
    task = create("task", {"multi_task": {"heads": {**HEADS, "tags": {**HEADS["tags"], "wire": "size"}}}})
    graph = graph_of(
        {
            "outputs": ["help", "kind", "size"],
            "graph": {
                "h": [{"dense": 6}, "tanh"],
                "help": ["dense"],
                "kind": [{"from": "h"}, {"dense": 5}, "tanh", "dense"],
                "size": [{"from": "h"}, "dense"],
            },
        },
        {"x": (4,)},
        task.widths(data),
        **options,
    )
    bound = task.bind(data, graph.outputs, None, None)
    bound.check(graph)
    kinds = rng.integers(0, 3, (size, 1))
    target = np.concatenate([kinds, rng.standard_normal((size, 2)), kinds, rng.integers(0, 2, (size, 2))], axis=1)
    x = rng.standard_normal((size, 4)).astype(graph.dtype)
    return Objective(graph, bound), Batch({"x": x}, target, slice(None), 0, 0, np.arange(size))


def text_case(tokens: int, size: int, rng: np.random.Generator, **options: Any) -> tuple[Objective, Batch]:
    """A small language model, and a batch of texts of which some are short."""
    data: Any = SimpleNamespace(classes=["<unknown>", *"abcdefgh"[: tokens - 1]], shape=(4,), target_names=["token"])
    embedding = {"embedding": {"vocabulary_size": tokens, "units": 3}}
    chain = [embedding, {"lstm": {"units": 6, "return_sequences": True}}, {"dense": tokens}]
    graph = graph_of({"graph": {"y": chain}}, {"x": (4,)}, **options)
    bound = create("task", "language_model").bind(data, graph.outputs, None, None)
    bound.check(graph)
    target = rng.integers(0, tokens, (size, 4))
    target[::3, 2:] = -1
    x = rng.integers(0, tokens, (size, 4))
    return Objective(graph, bound), Batch({"x": x}, target, slice(None), 0, 0, np.arange(size))


def batch_of(graph: Graph, task: str, size: int, rng: np.random.Generator, outputs: int = 3) -> Batch:
    """A batch of random samples."""
    inputs = {wire: rng.standard_normal((size, *shape)).astype(graph.dtype) for wire, shape in graph.inputs.items()}
    if task == "regression":
        target = rng.standard_normal((size, outputs)).astype(graph.dtype)
    elif task == "multi_label":
        target = rng.integers(0, 2, (size, outputs))
    elif task == "event_detection":
        target = rng.integers(0, 2, (size, next(iter(graph.inputs.values()))[0]))
    elif task == "segmentation":
        target = rng.integers(0, outputs, (size, *next(iter(graph.inputs.values()))[:2]))
    else:
        target = rng.integers(0, outputs if task == "classification" else 2, size)
    return Batch(inputs, target, slice(None), 0, 0, np.arange(size))


def random_layer(rng: np.random.Generator) -> Any:
    """A layer that keeps or chooses a width, on vectors."""
    width = int(rng.integers(1, 9))
    layers: list[Any] = [{"dense": width}, {"dense": {"units": width, "use_bias": False}}, *SMOOTH, *PIECEWISE]
    layers += [{"dense": width}, {"dropout": float(rng.choice([0.0, 0.3, 0.7]))}]
    layers += [{"maxout": width}, {"gaussian_noise": 0.3}, {"alpha_dropout": 0.2}, "layer_norm"]
    layers += ["batch_norm", {"batch_norm": {"center": False}}, {"batch_norm": {"scale": False}}]
    return layers[rng.integers(len(layers))]


def random_chain(rng: np.random.Generator, depth: int) -> list[Any]:
    """Some layers, with branches in between."""
    chain: list[Any] = []
    for _ in range(int(rng.integers(1, 4))):
        kind = rng.integers(6) if depth else 0
        if kind == 4:
            chain.append({"concat": [random_chain(rng, depth - 1), random_chain(rng, 0), []]})
        elif kind == 5:
            width = {"dense": int(rng.integers(1, 7))}
            chain += [width, {"add": [[*random_chain(rng, 0), width], [], [width, "tanh"]]}]
        else:
            chain.append(random_layer(rng))
    return chain


def random_case(seed: int, dtype: str = "float32") -> tuple[Objective, Batch]:
    """A random model with a random task, penalties and batch."""
    rng = np.random.default_rng(seed)
    task, outputs = TASKS[rng.integers(3)], int(rng.integers(2, 5))
    width = 1 if task == "binary_classification" else outputs
    shape = [(5,), (2, 3), (2, 2, 2)][rng.integers(3)]
    start = ["flatten"] if len(shape) > 1 else []
    if len(shape) == 2 and rng.integers(2):
        start = [{"dense": 4}, "batch_norm", "relu", "flatten"]
    shapes = {"x": shape}
    model: dict[str, Any] = {"inputs": {"x": list(shape)}, "graph": {"a": [*start, *random_chain(rng, 1)]}}
    last: list[Any] = [{"dense": width}]
    if rng.integers(2):
        shapes["z"] = shape
        model["inputs"]["z"] = list(shape)
        model["graph"]["b"] = [{"from": "z"}, {"reuse": "a"}]
        last = [{"concat": {"with": "a"}} if rng.integers(2) else {"add": {"with": "a"}}, "tanh", {"dense": width}]
    model["graph"]["out"] = last
    penalties = [[], [{"l2": 0.01}], [{"l1": 0.003}], [{"l1": 1e-4}, {"l2": 0.1}]][rng.integers(4)]
    graph = graph_of(model, shapes, dtype=dtype, seed=seed)
    return objective_of(graph, task, outputs, penalties), batch_of(graph, task, int(rng.integers(1, 10)), rng, outputs)


def wild_case(seed: int) -> tuple[Objective, Batch]:
    """A random model far from where models work well: saturated, cancelling, nearly constant, perfect."""
    rng = np.random.default_rng(seed)
    objective, batch = random_case(seed)
    size, weights = 10.0 ** rng.integers(-4, 5), 10.0 ** rng.integers(-2, 2)
    shift = 10 * size if rng.integers(3) == 0 else 0
    for wire, x in batch.inputs.items():
        batch.inputs[wire] = (x * size + shift).astype(x.dtype)
    objective.graph.vector.value *= objective.graph.dtype.type(weights)
    objective.graph.changed()
    return objective, batch
