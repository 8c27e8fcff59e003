"""Layers that only arrange values anew."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from dltrain.layers.base import Array, Backward, Layer, Shape
from dltrain.registry import register

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "flatten")
class Flatten(Layer):
    """All values of an example in one vector.

    (N, …) -> (N, product of …), row by row

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["flatten"]}}, {"x": (2, 2)})
        >>> model.forward({"x": np.array([[[1, 2], [3, 4]]])})[0]["y"].tolist()
        [[1.0, 2.0, 3.0, 4.0]]
    """

    def build(self, *shapes: Shape) -> Shape:
        """The product of all axes."""
        return (prod(shapes[0]),)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """A view where the values lie one after the other, else a copy."""
        (x,) = inputs
        shape = x.shape
        flat = (shape[0], prod(shape[1:]))
        if x.flags.c_contiguous:
            return x.reshape(flat), lambda dy: dy.reshape(shape)
        y = mode.empty(flat, x.dtype)
        y.reshape(shape)[...] = x
        return y, lambda dy: dy.reshape(shape)
