"""Layers that add noise while training and do nothing afterwards."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dltrain.kernels.reference.activations import SELU_ALPHA, SELU_SCALE
from dltrain.layers.base import Array, Backward, Layer, Shape
from dltrain.registry import register
from dltrain.types import NonNegativeFloat, Rate

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

    any_length = True
    draws = True

    def __init__(self, rate: Rate) -> None:
        self.rate = rate

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """y = x m / (1 - rate)."""
        (x,) = inputs
        if not mode.training or self.rate == 0:
            return x, lambda dy: dy
        k, key, rate = mode.kernels(x), mode.key(), self.rate
        y = k.dropout(x, key, rate, mode.output(x.shape, x.dtype))
        return y, lambda dy: k.dropout(dy, key, rate, mode.like(x))


@register("layer", "spatial_dropout")
class SpatialDropout(Layer):
    """Dropout of whole channels: neighbouring pixels tell the same, so dropping some of them would drop nothing.

        y = x m / (1 - rate),  m ~ Bernoulli(1 - rate) for each example and channel        (N, …, C) -> (N, …, C)

    y = x outside training.

    Parameters:
        rate: share of the channels that is dropped

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"spatial_dropout": 0.5}]}}, {"x": (3, 3, 100)})
        >>> y = model.forward({"x": np.ones((1, 3, 3, 100))}, train=True)[0]["y"]
        >>> sorted({tuple(channel) for channel in y.reshape(9, 100).T.tolist()}) == [(0.0,) * 9, (2.0,) * 9]
        True

    Source: Tompson et al.: Efficient object localization using convolutional networks, 2015.
    """

    any_length = True
    draws = True

    def __init__(self, rate: Rate) -> None:
        self.rate = rate

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """One draw for each example and channel."""
        (x,) = inputs
        return dropped(mode, x, (x.shape[0], x.shape[-1]), self.rate)


@register("layer", "stochastic_depth")
class StochasticDepth(Layer):
    """Dropout of whole examples: at the end of a residual branch it trains a network of random depth.

        y = x m / (1 - rate),  m ~ Bernoulli(1 - rate) for each example        any shape; y = x outside training

    ``residual: [conv: 16, batch_norm, stochastic_depth: 0.1]``.  The paper lets the rate grow with the depth, from
    0 at the first branch to 0.5 at the last: give each branch its own.

    Parameters:
        rate: share of the examples that skip the branch

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"residual": [{"stochastic_depth": 0.5}]}]}}, {"x": (2,)})
        >>> y = model.forward({"x": np.ones((100, 2))}, train=True)[0]["y"]
        >>> sorted(set(map(tuple, y.tolist())))  # x alone, and x + x / (1 - 0.5)
        [(1.0, 1.0), (3.0, 3.0)]

    Source: Huang et al.: Deep networks with stochastic depth, 2016; scaled in training, as dropout is.
    """

    draws = True

    def __init__(self, rate: Rate) -> None:
        self.rate = rate

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """One draw for each example."""
        (x,) = inputs
        return dropped(mode, x, (x.shape[0], 1), self.rate)


def dropped(mode: Mode, x: Array, draws: Shape, rate: float) -> tuple[Array, Backward]:
    """In training x times a factor for each example and channel: 0 with probability `rate`, else 1 / (1 - rate).

    Parameters:
        mode: of the run
        x: (N, …, C)
        draws: (N, C), or (N, 1) for one draw for all channels
        rate: share that is dropped
    """
    if not mode.training or rate == 0:
        return x, lambda dy: dy
    k = mode.kernels(x)
    ones, kept = mode.empty(draws, x.dtype), mode.empty(draws, x.dtype)
    ones.fill(1)
    k.dropout(ones, mode.key(), rate, kept)
    factors = mode.empty((x.shape[0], x.shape[-1]), x.dtype)
    factors[...] = kept
    y = k.scale_channels(x, factors, mode.output(x.shape, x.dtype))
    return y, lambda dy: k.scale_channels(dy, factors, mode.like(x))


@register("layer", "alpha_dropout")
class AlphaDropout(Layer):
    """Dropout for selu: dropped values go to selu's lower limit, and mean 0 and variance 1 are restored.

        y = a (x m + α' (1 - m)) + b,  m ~ Bernoulli(1 - rate)        any shape; y = x outside training

    α' = -1.7581, q = 1 - rate, a = 1/√(q + α'² q rate), b = -a α' rate.

    Parameters:
        rate: share of the values that is dropped

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"alpha_dropout": 0.1}]}}, {"x": (100,)})
        >>> x = np.random.default_rng(0).standard_normal((1000, 100))
        >>> y = model.forward({"x": x}, train=True)[0]["y"]
        >>> abs(y.mean()) < 0.02, abs(y.std() - 1) < 0.02
        (np.True_, np.True_)

    Source: Klambauer et al.: Self-normalizing neural networks, 2017.
    """

    draws = True

    def __init__(self, rate: Rate) -> None:
        self.rate = rate

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """y = a q D(x - α') + a α' + b with D, the inverted dropout of the same draws."""
        (x,) = inputs
        if not mode.training or self.rate == 0:
            return x, lambda dy: dy
        k, key, rate, low = mode.kernels(x), mode.key(), self.rate, -SELU_SCALE * SELU_ALPHA
        a = 1 / math.sqrt((1 - rate) * (1 + low * low * rate))
        shifted = mode.empty(x.shape, x.dtype)
        np.subtract(x, low, out=shifted)
        y = k.dropout(shifted, key, rate, mode.output(x.shape, x.dtype))
        y *= a * (1 - rate)
        y += a * low * (1 - rate)

        def backward(dy: Array) -> Array:
            dx = k.dropout(dy, key, rate, mode.like(x))
            dx *= a * (1 - rate)
            return dx

        return y, backward


@register("layer", "gaussian_noise")
class GaussianNoise(Layer):
    """Adds normal noise in training, against overfitting; put it behind the inputs or between layers.

        y = x + stddev ε,  ε ~ N(0, 1)        any shape; y = x outside training

    The noise is a function of (seed, step, place in the model): it is the same after a resume.

    Parameters:
        stddev: standard deviation of the noise

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model, x = build_model({"graph": {"y": [{"gaussian_noise": 0.5}]}}, {"x": (100,)}), np.ones((1000, 100))
        >>> y = model.forward({"x": x}, train=True)[0]["y"]
        >>> round(float(y.mean()), 2), round(float(y.std()), 2)
        (1.0, 0.5)

    Source: Bishop: Training with noise is equivalent to Tikhonov regularization, 1995.
    """

    draws = True

    def __init__(self, stddev: NonNegativeFloat) -> None:
        self.stddev = stddev

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """y = x + stddev ε; the gradient passes as it is."""
        (x,) = inputs
        if not mode.training or self.stddev == 0:
            return x, lambda dy: dy
        y = mode.kernels(x).gaussian_noise(x, mode.key(), self.stddev, mode.output(x.shape, x.dtype))
        return y, lambda dy: dy
