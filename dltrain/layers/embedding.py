"""From tokens to vectors, and where in the sequence they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dltrain.errors import DataError
from dltrain.layers.base import Array, Backward, Layer, Parameter, Shape, ShapeError
from dltrain.layers.recurrence import check_sequence
from dltrain.registry import register
from dltrain.types import Initializer, NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "embedding")
class Embedding(Layer):
    """A trained vector for each token of a vocabulary.

        y[n, t] = E[x[n, t]]        tokens (N, T) -> (N, T, D), E (V, D)

    The gradient of E is the sum of those that arrive where a token stands.

    Parameters:
        vocabulary_size: how many tokens V there are; `$vocabulary_size` for that of the data
        units: width D of a vector
        padding: token that fills up short sequences: its vector is zeros and is not trained; left out, there is none
        embeddings_initializer: what fills E at the start

    Raises:
        DataError: when a token is not from 0 to V - 1.

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> table = {"constant": [[0, 0], [1, 2], [3, 4]]}
        >>> layer = {"embedding": {"vocabulary_size": 3, "units": 2, "embeddings_initializer": table}}
        >>> model = build_model({"graph": {"y": [layer]}}, {"x": (2,)})
        >>> model.forward({"x": np.array([[2, 1]])})[0]["y"].tolist()
        [[[3.0, 4.0], [1.0, 2.0]]]

    Source: Bengio et al.: A neural probabilistic language model, 2003.
    """

    any_length = True
    takes_integers = True

    def __init__(
        self,
        vocabulary_size: PositiveInt,
        units: PositiveInt,
        padding: NonNegativeInt | None = None,
        embeddings_initializer: Initializer = "normal",
    ) -> None:
        self.vocabulary_size, self.units, self.padding = vocabulary_size, units, padding
        self.embeddings_initializer = embeddings_initializer

    def build(self, *shapes: Shape) -> Shape:
        """(T,) -> (T, D)."""
        (shape,) = shapes
        if len(shape) != 1:
            raise ShapeError("the layer takes sequences of tokens", "(time,)", "the data give numbers, not tokens")
        size = (self.vocabulary_size, self.units)
        if self.padding is not None and self.padding >= self.vocabulary_size:
            raise ShapeError(f"the padding {self.padding} is no token", f"a token from 0 to {self.vocabulary_size - 1}")
        self.embeddings = Parameter("embeddings", size, self.embeddings_initializer, fans=size)
        self.parameters = (self.embeddings,)
        return (*shape, self.units)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Rows of the table; the padding's are zeros."""
        E, tokens = self.embeddings, whole(inputs[0], self.vocabulary_size)
        index, k = tokens.reshape(-1), mode.kernels(E.value)
        y = mode.output((*tokens.shape, self.units), E.value.dtype)
        rows = y.reshape(-1, self.units)
        k.take_rows(E.value, index, rows)
        if self.padding is not None:
            rows[index == self.padding] = 0
            index = np.where(index == self.padding, -1, index)

        def backward(dy: Array) -> None:
            k.scatter_rows(index, dy.reshape(-1, self.units), E.grad, E.accumulates())

        return y, backward


def whole(tokens: Array, size: int) -> Array:
    """Tokens (N, T) as whole numbers.

    Raises:
        DataError: when one is not in the vocabulary.
    """
    index = tokens.real.astype(np.int64)
    bad = (index != tokens) | (index < 0) | (index >= size)
    if bad.any():
        got = f"{tokens[bad][0]:g}"
        raise DataError("a token is not in the vocabulary", expected=f"whole numbers from 0 to {size - 1}", got=got)
    return index


@register("layer", "position_embedding")
class PositionEmbedding(Layer):
    """Adds a trained vector for each place in the sequence.

        y[n, t] = x[n, t] + P[t]        (N, T, D), P (T, D)

    Parameters:
        embeddings_initializer: what fills P at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> layer = {"position_embedding": {"embeddings_initializer": {"constant": [[1], [2]]}}}
        >>> model = build_model({"graph": {"y": [layer]}}, {"x": (2, 1)})
        >>> model.forward({"x": np.array([[[10.0], [10.0]]])})[0]["y"].tolist()
        [[[11.0], [12.0]]]

    Source: Gehring et al.: Convolutional sequence to sequence learning, 2017.
    """

    any_length = True
    knows_places = True

    def __init__(self, embeddings_initializer: Initializer = "normal") -> None:
        self.embeddings_initializer = embeddings_initializer

    def build(self, *shapes: Shape) -> Shape:
        """The shape stays."""
        shape = check_sequence(shapes)
        self.embeddings = Parameter("embeddings", shape, self.embeddings_initializer, fans=(shape[0], shape[1]))
        self.parameters = (self.embeddings,)
        return shape

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """y = x + P; dP is the sum over the batch."""
        (x,) = inputs
        P = self.embeddings
        y = mode.output(x.shape, x.dtype)
        np.add(x, placed(mode, P.value, x), out=y)

        def backward(dy: Array) -> Array:
            total, steps = dy.sum(0), dy.shape[1]
            if P.accumulates():
                P.grad[:steps] += total
            else:
                P.grad[:steps], P.grad[steps:] = total, 0
            return dy

        return y, backward


def placed(mode: Mode, table: Array, x: Array) -> Array:
    """The rows of a table of places (T, D) for the steps of x.

    Raises:
        DataError: when a sequence that is read step by step has become longer than the table.
    """
    start = mode.place(len(x), x.shape[1])
    if start + x.shape[1] > len(table):
        what, hint = "the sequence is longer than those the model was built for", "write less, or train with more steps"
        raise DataError(what, expected=f"at most {len(table)} steps", got=str(start + x.shape[1]), hint=hint)
    return table[start : start + x.shape[1]]


@register("layer", "sinusoidal_positions")
class SinusoidalPositions(Layer):
    """Adds waves of many lengths, from which the place in the sequence can be read; nothing is trained.

        y[n, t, 2i] = x[n, t, 2i] + sin(t / 10000^(2i/D)), y[n, t, 2i + 1] likewise with cos        (N, T, D)

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": ["sinusoidal_positions"]}}, {"x": (2, 2)})
        >>> model.forward({"x": np.zeros((1, 2, 2))})[0]["y"].round(4).tolist()
        [[[0.0, 1.0], [0.8414999842643738, 0.5403000116348267]]]

    Source: Vaswani et al.: Attention is all you need, 2017.
    """

    any_length = True

    def build(self, *shapes: Shape) -> Shape:
        """The shape stays."""
        shape = check_sequence(shapes)
        steps, width = shape
        self.waves = np.empty(shape)
        angles = np.arange(steps)[:, None] / 10000.0 ** (np.arange(0, width, 2) / width)  # (T, ⌈D/2⌉)
        self.waves[:, 0::2], self.waves[:, 1::2] = np.sin(angles), np.cos(angles[:, : width // 2])
        return shape

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The gradient passes as it is."""
        (x,) = inputs
        y = mode.output(x.shape, x.dtype)
        np.add(x, placed(mode, self.waves, x).astype(x.real.dtype), out=y)
        return y, lambda dy: dy
