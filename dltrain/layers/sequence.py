"""Masks of sequences, and one vector from all valid steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dltrain.layers.base import Array, Backward, Layer, Shape, ShapeError
from dltrain.layers.recurrence import check_sequence, no_gradient
from dltrain.registry import register
from dltrain.types import NonNegativeInt

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "padding_mask")
class PaddingMask(Layer):
    """1 where a sequence has a token, 0 where it is filled up: the mask that other layers take by `with`.

        y[n, t] = 1 if x[n, t] ≠ padding else 0        tokens (N, T) -> (N, T)

    Parameters:
        padding: the token that fills up short sequences

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"mask": ["padding_mask"]}}, {"x": (3,)})
        >>> model.forward({"x": np.array([[5, 2, 0]])})[0]["mask"].tolist()
        [[1.0, 1.0, 0.0]]
    """

    any_length = True
    takes_integers = True

    def __init__(self, padding: NonNegativeInt = 0) -> None:
        self.padding = padding

    def build(self, *shapes: Shape) -> Shape:
        """The shape stays."""
        if len(shapes[0]) != 1:
            raise ShapeError("the layer takes sequences of tokens", "(time,)")
        return shapes[0]

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Nothing goes back."""
        tokens = inputs[0]
        y = mode.output(tokens.shape, mode.node.dtype)
        y[...] = tokens != self.padding
        return y, lambda dy: None


@register("layer", "last_step")
class LastStep(Layer):
    """The last valid step of a sequence.

        y = x[t], t the last step whose mask is 1; zeros where there is none        (N, T, D) -> (N, D)

    Without a mask it is the last step; with one it is ``last_step: {with: mask}``.

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["last_step"]}}, {"x": (2, 1)})
        >>> model.forward({"x": np.array([[[3.0], [7.0]]])})[0]["y"].tolist()
        [[7.0]]
    """

    any_length = True
    further = ("mask",)

    def build(self, *shapes: Shape) -> Shape:
        """(T, D) -> (D,)."""
        return check_sequence(shapes)[1:]

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The gradient goes to the step that was taken."""
        x, valid = inputs[0], valid_steps(inputs)
        rows, steps = np.arange(len(x)), x.shape[1] - 1 - valid[:, ::-1].argmax(1)
        there = valid.any(1, keepdims=True)
        y = mode.output((len(x), x.shape[2]), x.dtype)
        y[...] = np.where(there, x[rows, steps], 0)

        def backward(dy: Array) -> Array | tuple[Array, ...]:
            dx = mode.like(x)
            dx.fill(0)
            dx[rows, steps] = np.where(there, dy, 0)
            return with_mask(mode, dx, inputs)

        return y, backward


@register("layer", "masked_mean")
class MaskedMean(Layer):
    """The mean over the valid steps of a sequence.

        y = Σ_t m_t x_t / Σ_t m_t; zeros where no step is valid        x (N, T, D), m (N, T) -> (N, D)

    ``masked_mean: {with: mask}``; without padding it is `global_avg_pool`.

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> graph = {"m": [{"from": "x"}, "padding_mask"], "y": [{"from": "v"}, {"masked_mean": {"with": "m"}}]}
        >>> inputs = {"x": None, "v": None}
        >>> model = build_model({"inputs": inputs, "graph": graph}, {"x": (3,), "v": (3, 1)})
        >>> model.forward({"x": np.array([[4, 2, 0]]), "v": np.array([[[1.0], [3.0], [9.0]]])})[0]["y"].tolist()
        [[2.0]]
    """

    any_length = True
    merges = True

    def build(self, *shapes: Shape) -> Shape:
        """(T, D), (T,) -> (D,)."""
        return pooled(shapes, "masked_mean")

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Each valid step gets its share of the gradient."""
        x, valid = inputs[0], valid_steps(inputs)
        shares = (valid / np.maximum(valid.sum(1, keepdims=True), 1)).astype(x.real.dtype)[:, None]  # (N, 1, T)
        y = mode.output((len(x), x.shape[2]), x.dtype)
        y[...] = (shares @ x)[:, 0]

        def backward(dy: Array) -> Array | tuple[Array, ...]:
            dx = mode.like(x)
            np.multiply(shares[:, 0, :, None], dy[:, None], out=dx)
            return with_mask(mode, dx, inputs)

        return y, backward


@register("layer", "masked_max")
class MaskedMax(Layer):
    """The largest value of each feature over the valid steps of a sequence.

        y_d = max of x_td over the steps with m_t = 1; zeros where there is none        x (N, T, D), m (N, T) -> (N, D)

    ``masked_max: {with: mask}``; without padding it is `global_max_pool`.  Of equal values the first gets the gradient.

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> graph = {"m": [{"from": "x"}, "padding_mask"], "y": [{"from": "v"}, {"masked_max": {"with": "m"}}]}
        >>> inputs = {"x": None, "v": None}
        >>> model = build_model({"inputs": inputs, "graph": graph}, {"x": (3,), "v": (3, 1)})
        >>> model.forward({"x": np.array([[4, 2, 0]]), "v": np.array([[[1.0], [3.0], [9.0]]])})[0]["y"].tolist()
        [[3.0]]
    """

    any_length = True
    merges = True

    def build(self, *shapes: Shape) -> Shape:
        """(T, D), (T,) -> (D,)."""
        return pooled(shapes, "masked_max")

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The gradient goes to the step that won."""
        x, valid = inputs[0], valid_steps(inputs)
        steps = np.where(valid[:, :, None], x.real, -np.inf).argmax(1)[:, None]  # (N, 1, D)
        there = valid.any(1, keepdims=True)
        y = mode.output((len(x), x.shape[2]), x.dtype)
        y[...] = np.where(there, np.take_along_axis(x, steps, 1)[:, 0], 0)

        def backward(dy: Array) -> Array | tuple[Array, ...]:
            dx = mode.like(x)
            dx.fill(0)
            np.put_along_axis(dx, steps, np.where(there, dy, 0)[:, None], 1)
            return with_mask(mode, dx, inputs)

        return y, backward


def pooled(shapes: tuple[Shape, ...], name: str) -> Shape:
    """The shape of one step, of a sequence and its mask.

    Raises:
        ShapeError: when they are something else.
    """
    if len(shapes) != 2:
        raise ShapeError(f"{name} takes a sequence and its mask", "(time, features) and (time,)")
    return check_sequence(shapes)[1:]


def valid_steps(inputs: tuple[Array, ...]) -> Array:
    """(N, T) whether a step is valid."""
    if len(inputs) == 1:
        return np.ones(inputs[0].shape[:2], bool)
    valid: Array = inputs[1].real > 0.5
    return valid


def with_mask(mode: Mode, dx: Array, inputs: tuple[Array, ...]) -> Array | tuple[Array, ...]:
    """The gradients of a sequence and, where there is one, of its mask."""
    return dx if len(inputs) == 1 else (dx, no_gradient(mode, inputs[1]))
