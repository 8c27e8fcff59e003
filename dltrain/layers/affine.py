"""The trained scale and shift behind every normalization."""

from __future__ import annotations

from math import prod

from dltrain.layers.base import Layer, Parameter, Shape


class Affine(Layer):
    """A layer that scales each channel by a trained γ and shifts it by β, each of which may be left out.

    Parameters:
        epsilon: added to the variance
        center: whether β is there
        scale: whether γ is there
    """

    def __init__(self, epsilon: float, center: bool, scale: bool) -> None:
        self.epsilon, self.center, self.scale = epsilon, center, scale

    def declare(self, channels: int) -> None:
        """One γ and β for each channel."""
        self.gamma = Parameter("gamma", (channels,), "ones") if self.scale else None
        self.beta = Parameter("beta", (channels,), "zeros") if self.center else None
        self.parameters = tuple(p for p in (self.gamma, self.beta) if p is not None)

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """One for each value."""
        return prod(output)
