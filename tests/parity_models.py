"""Models whose values and gradients PyTorch computed too (`fixtures/make_parity_fixtures.py`)."""

from __future__ import annotations

from typing import Any, NamedTuple


class Model(NamedTuple):
    """A model in the notation, with its loss.

    Parameters:
        graph: the chains
        inputs: {wire: shape}
        loss: by name; None takes Σ y·c with stored c
        train: training or use
        size: of the batch
    """

    graph: dict[str, list[Any]]
    inputs: dict[str, tuple[int, ...]]
    loss: str | None = None
    train: bool = True
    size: int = 6


X: dict[str, tuple[int, ...]] = {"x": (5,)}
NORM: list[Any] = [{"dense": 4}, {"batch_norm": {"momentum": 0.8, "epsilon": 1e-3}}, "relu", {"dense": 3}]

MODELS = {
    "dense": Model({"y": [{"dense": 4}]}, X),
    "dense_without_bias": Model({"y": [{"dense": {"units": 4, "use_bias": False}}]}, X),
    "dense_of_sequence": Model({"y": [{"dense": 4}, "tanh"]}, {"x": (3, 5)}),
    "relu": Model({"y": [{"dense": 8}, "relu", {"dense": 3}]}, X),
    "leaky_relu": Model({"y": [{"dense": 8}, {"leaky_relu": 0.2}, {"dense": 3}]}, X),
    "tanh": Model({"y": [{"dense": 8}, "tanh", {"dense": 3}]}, X),
    "sigmoid": Model({"y": [{"dense": 8}, "sigmoid", {"dense": 3}]}, X),
    "softmax": Model({"y": [{"dense": 6}, "softmax"]}, X),
    "softmax_of_sequence": Model({"y": ["softmax", "flatten", {"dense": 2}]}, {"x": (3, 5)}),
    "batch_norm_in_training": Model({"y": NORM}, X, size=9),
    "batch_norm_in_use": Model({"y": NORM}, X, train=False),
    "batch_norm_of_images": Model({"y": ["batch_norm", "flatten", {"dense": 2}]}, {"x": (3, 4, 2)}),
    "cross_entropy": Model(
        {"y": [{"dense": 16}, "relu", {"dense": 8}, "relu", {"dense": 4}]}, X, "softmax_cross_entropy", size=16
    ),
    "binary_cross_entropy": Model({"y": [{"dense": 8}, "tanh", {"dense": 1}]}, X, "binary_cross_entropy", size=16),
    "squared_error": Model({"y": [{"dense": 8}, "sigmoid", {"dense": 2}]}, X, "mean_squared_error", size=16),
    "residual": Model(
        {"y": [{"dense": 6}, {"residual": [{"dense": 6}, "batch_norm", "relu", {"dense": 6}]}, "relu", {"dense": 4}]},
        X,
        "softmax_cross_entropy",
        size=12,
    ),
    "branches": Model(
        {"y": [{"concat": [[{"dense": 3}, "tanh"], [{"dense": 2}, "relu"], []]}, {"dense": 4}]},
        X,
        "softmax_cross_entropy",
    ),
    "shared": Model(
        {
            "a": [{"from": "x"}, {"dense": 7}, "tanh", {"dense": 4}],
            "b": [{"from": "z"}, {"reuse": "a"}],
            "y": [{"concat": {"with": "a"}}, {"dense": 2}],
        },
        {"x": (5,), "z": (5,)},
        "mean_squared_error",
    ),
}
