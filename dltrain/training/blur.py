"""What rounding may do to a computation: the same computation with every value a little off."""

from __future__ import annotations

from typing import Any

from dltrain.layers.base import Array, Backward, Layer, Shape
from dltrain.model.mode import Mode
from dltrain.seeds import generator


class Blur:
    """Changes values in place by random shares of themselves.

    Parameters:
        seed: of the run
        draw: which random numbers
        size: of the changes
    """

    def __init__(self, seed: int, draw: int, size: float) -> None:
        self.noise, self.size = generator(seed, "gradient check rounding", draw), size

    def __call__(self, array: Array) -> None:
        """Every value by its own share."""
        array *= 1 + self.size * self.noise.standard_normal(array.shape)


class Blurred(Layer):
    """A layer whose results are a little off.

    Parameters:
        layer: the layer
        blur: how much
    """

    def __init__(self, layer: Layer, blur: Blur) -> None:
        self.layer, self.blur = layer, blur
        self.parameters, self.statistics = layer.parameters, layer.statistics

    def build(self, *shapes: Shape) -> Shape:
        """It is built already."""
        return self.layer.build(*shapes)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The layer's, blurred in place, so that its backward sees the same values."""
        y, backward = self.layer.forward(mode, *inputs)
        self.blur(y)

        def blurred(dy: Array) -> Any:
            dy = dy.copy()
            self.blur(dy)
            return backward(dy)

        return y, blurred
