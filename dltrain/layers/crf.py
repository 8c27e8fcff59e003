"""A linear-chain conditional random field: scores of tags, and of one tag behind another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dltrain.kernels.arrays import PADDED
from dltrain.layers.base import Array, Backward, Layer, Parameter, Shape, ShapeError
from dltrain.layers.recurrence import check_sequence
from dltrain.layers.sequence import with_mask
from dltrain.registry import register
from dltrain.types import Initializer

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "crf")
class ConditionalRandomField(Layer):
    """The last layer of a tagger that scores sequences of tags as a whole, for `loss: crf`.

        score(y | x) = s_{y_1} + Σ_t z_{t, y_t} + Σ_t A_{y_{t-1}, y_t} + e_{y_T}        (N, T, K) -> (N, T + K + 2, K)

    A (K, K) scores one tag behind another, s (K,) the first, e (K,) the last.  The output is what the loss needs of
    them, one behind the other: z, then the rows of A, then s and e.  With a mask, ``crf: {with: mask}``, steps that
    fill up have the score -10⁴ for every tag, by which evaluation and `predict` know them.

    Parameters:
        transitions_initializer: what fills A, s and e at the start

    Example:
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["crf"]}}, {"x": (5, 3)})
        >>> model.forward({"x": np.ones((2, 5, 3))})[0]["y"].shape
        (2, 10, 3)

    Source: Lafferty, McCallum, Pereira: Conditional random fields, 2001; above a recurrent network: Huang, Xu, Yu:
    Bidirectional LSTM-CRF models for sequence tagging, 2015.
    """

    further = ("mask",)
    any_length = True

    def __init__(self, transitions_initializer: Initializer = "zeros") -> None:
        self.transitions_initializer = transitions_initializer

    def build(self, *shapes: Shape) -> Shape:
        """(T, K) -> (T + K + 2, K)."""
        steps, K = check_sequence(shapes)
        if K < 2:
            raise ShapeError("a tagger has two tags or more", "(time, tags)")
        self.transitions = Parameter("transitions", (K + 2, K), self.transitions_initializer, fans=(K, K))
        self.parameters = (self.transitions,)
        return (steps + K + 2, K)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Scores of the steps, then those of the tags' sequence, the same for every sample."""
        x, A = inputs[0], self.transitions
        N, steps, K = x.shape
        valid = None if len(inputs) == 1 else inputs[1].real > 0.5
        y = mode.output((N, steps + K + 2, K), x.dtype)
        y[:, :steps] = x if valid is None else np.where(valid[:, :, None], x, PADDED)
        y[:, steps:] = A.value

        def backward(dy: Array) -> Array | tuple[Array, ...]:
            total = dy[:, steps:].sum(0)
            if A.accumulates():
                A.grad += total
            else:
                A.grad[...] = total
            dx = mode.like(x)
            dx[...] = dy[:, :steps] if valid is None else np.where(valid[:, :, None], dy[:, :steps], 0)
            return with_mask(mode, dx, inputs)

        return y, backward
