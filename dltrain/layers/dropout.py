"""Layers that add noise while training and do nothing afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltrain.layers.base import Array, Backward, Layer, Shape
from dltrain.registry import register
from dltrain.types import Rate

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "dropout")
class Dropout(Layer):
    """Inverted dropout: in training each value is set to zero with probability `rate`, the others grow.

        y = x m / (1 - rate),  m ~ Bernoulli(1 - rate)        any shape; y = x outside training

    The mask is a function of (seed, step, place in the model): it is the same after a resume, and is made
    again in the backward pass instead of being stored.

    Parameters:
        rate: share of the values that is dropped (the field's older keep_prob is 1 - rate)

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model, x = build_model({"graph": {"y": [{"dropout": 0.75}]}}, {"x": (8,)}), np.ones((1000, 8))
        >>> np.unique(model.forward({"x": x}, train=True)[0]["y"]).tolist()  # 1 / (1 - 0.75) where it is not dropped
        [0.0, 4.0]
        >>> np.unique(model.forward({"x": x})[0]["y"]).tolist()
        [1.0]

    Source: Srivastava et al.: Dropout, a simple way to prevent neural networks from overfitting, 2014.
    """

    def __init__(self, rate: Rate) -> None:
        self.rate = rate

    def build(self, *shapes: Shape) -> Shape:
        """The shape stays."""
        return shapes[0]

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """y = x m / (1 - rate)."""
        (x,) = inputs
        if not mode.training or self.rate == 0:
            return x, lambda dy: dy
        k, key, rate = mode.kernels(x), mode.key(), self.rate
        y = k.dropout(x, key, rate, mode.output(x.shape, x.dtype))
        return y, lambda dy: k.dropout(dy, key, rate, mode.like(x))
