"""Batch normalization: every channel is brought to mean 0 and deviation 1 over the examples of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltrain.layers.affine import Affine
from dltrain.layers.base import Array, Backward, Layer, Shape, Statistic
from dltrain.registry import register
from dltrain.types import PositiveFloat, Rate

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "batch_norm")
class BatchNorm(Affine):
    """Batch normalisation over all axes but the last.

        y = γ (x - μ) / √(σ² + ε) + β        (N, …, C) -> (N, …, C), γ β μ σ (C,)

    In training μ and σ² are the batch's own and running averages learn from them:
    moving = momentum · moving + (1 - momentum) · batch.  Outside training the running averages are used, and where
    γ and β are frozen in training too: they then stay as they are.
    σ² is the population variance (divided by the count, not by the count less one).

    Parameters:
        momentum: how slowly the running averages follow
        epsilon: added to the variance
        center: whether β is there
        scale: whether γ is there

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["batch_norm"]}}, {"x": (1,)}, dtype="float64")
        >>> model.forward({"x": np.array([[1.0], [3.0]])}, train=True)[0]["y"].round(3).tolist()  # μ = 2, σ = 1
        [[-1.0], [1.0]]
        >>> model.statistics["y.0.batch_norm.moving_mean"].value.round(6).tolist()  # 0.9 · 0 + 0.1 · 2
        [0.2]

    Source: Ioffe, Szegedy: Batch normalization, 2015.
    """

    def __init__(
        self, momentum: Rate = 0.9, epsilon: PositiveFloat = 1e-5, center: bool = True, scale: bool = True
    ) -> None:
        super().__init__(epsilon, center, scale)
        self.momentum = momentum

    def build(self, *shapes: Shape) -> Shape:
        """One γ, β, mean and variance for each channel."""
        (shape,) = shapes
        self.declare(shape[-1])
        self.moving_mean = Statistic("moving_mean", shape[-1:], 0.0)
        self.moving_variance = Statistic("moving_variance", shape[-1:], 1.0)
        self.statistics = (self.moving_mean, self.moving_variance)
        return shape

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Normalise, scale and shift."""
        return normalize(self, "linear", mode, inputs[0])

    @property
    def frozen(self) -> bool:
        """Whether its parameters are not trained; one that has none follows the data."""
        return bool(self.parameters) and not any(parameter.trainable for parameter in self.parameters)


class BatchNormActivation(Layer):
    """Batch norm and the activation behind it in one pass.

    Parameters:
        norm: the layer, whose parameters and statistics are used
        activation: the layer of f
    """

    def __init__(self, norm: BatchNorm, activation: Layer) -> None:
        self.norm, self.name = norm, getattr(activation, "name", "linear")
        self.parameters, self.statistics = norm.parameters, norm.statistics

    def build(self, *shapes: Shape) -> Shape:
        """Both parts are built already."""
        return shapes[0]

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """y = f(γ x̂ + β)."""
        return normalize(self.norm, self.name, mode, inputs[0])


def normalize(layer: BatchNorm, activation: str, mode: Mode, x: Array) -> tuple[Array, Backward]:
    """y = f(γ x̂ + β) with the batch's statistics in training and the running ones otherwise."""
    k, empty, gamma, beta = mode.kernels(x), mode.empty, layer.gamma, layer.beta
    g = None if gamma is None else gamma.value
    b = None if beta is None else beta.value
    y = mode.output(x.shape, x.dtype)
    needs_dx = mode.needs_dx
    mean, variance = layer.moving_mean.value, layer.moving_variance.value
    training = mode.training and not layer.frozen
    if training:
        batch_mean, inv_std = empty(mean.shape, x.dtype), empty(mean.shape, x.dtype)
        k.batch_norm(x, g, b, layer.epsilon, activation, y, batch_mean, inv_std, empty)
        if mode.update_statistics:
            update(mean, batch_mean, layer.momentum)
            update(variance, 1 / inv_std**2 - layer.epsilon, layer.momentum)
    else:
        k.batch_norm_inference(x, g, b, mean, variance, layer.epsilon, activation, y)

    def backward(dy: Array) -> Array | None:
        add = gamma.accumulates() if gamma is not None else beta is not None and not beta.fresh
        dg = None if gamma is None else gamma.grad
        db = None
        if beta is not None:
            db, beta.fresh = beta.grad, False
        dx = mode.like(x) if needs_dx else None
        if training:
            k.batch_norm_backward(x, y, dy, g, batch_mean, inv_std, dg, db, dx, activation, add, empty)
        else:
            k.batch_norm_inference_backward(
                x, y, dy, g, mean, variance, layer.epsilon, dg, db, dx, activation, add, empty
            )
        return dx

    return y, backward


def update(moving: Array, batch: Array, momentum: float) -> None:
    """moving = momentum · moving + (1 - momentum) · batch, in place."""
    moving += (1 - momentum) * (batch - moving)
