"""What a layer is: parameters, statistics, and a forward that returns its own backward."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dltrain.model.mode import Mode

Shape = tuple[int, ...]
Array = np.ndarray[Any, Any]
Backward = Callable[[Array], "Array | tuple[Array | None, ...] | None"]


class Parameter:
    """A tensor that is trained.  The graph gives it its place in the flat vectors of values and gradients.

    Parameters:
        name: the field's (Keras') name: kernel, bias, gamma, beta, …
        shape: its shape
        initializer: spec of the initializer that fills it
        fans: (fan in, fan out), for the initializers that scale by them
        decays: whether weight decay and L1/L2 apply to it (kernels yes; biases, gamma and beta no)
    """

    __slots__ = (
        *("name", "shape", "initializer", "fans", "decays", "trainable"),
        *("value", "grad", "fresh", "version", "_cache"),
    )

    def __init__(
        self, name: str, shape: Shape, initializer: Any, *, fans: tuple[int, int] = (1, 1), decays: bool = False
    ) -> None:
        self.name, self.shape, self.initializer, self.fans, self.decays = name, shape, initializer, fans, decays
        self.trainable = True
        self.fresh = True  # nothing has been added to grad since the gradients were last cleared
        self.value: Array
        self.grad: Array
        self.version: list[int] = [0]  # shared by all parameters of a graph; counts changes of the values
        self._cache: dict[str, tuple[int, Array]] = {}

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))

    def accumulates(self) -> bool:
        """Whether a backward must add to `grad` (True) or store into it (False: the first writer of a step)."""
        fresh, self.fresh = self.fresh, False
        return not fresh

    def derived(self, key: str, shape: Shape, fill: Callable[[Array], Any]) -> Array:
        """A packed or transformed form of the value, made again only when the value has changed."""
        version, array = self._cache.get(key, (-1, None))
        if array is None:
            array = np.empty(shape, self.value.dtype)
        if version != self.version[0]:
            fill(array)
            self._cache[key] = (self.version[0], array)
        return array


class Statistic:
    """A tensor that is not trained but belongs to the model, such as a running mean; saved with it.

    Parameters:
        name: moving_mean, moving_variance, …
        shape: its shape
        fill: the value it starts from
    """

    __slots__ = ("fill", "name", "shape", "value")

    def __init__(self, name: str, shape: Shape, fill: float) -> None:
        self.name, self.shape, self.fill = name, shape, fill
        self.value: Array


class Layer(ABC):
    """One operation of a graph.

    A constructor only stores its arguments.  `build` declares parameters and statistics and returns the
    output shape.  `forward` returns the output and its own backward; between the two nothing is kept
    but what the closure holds, so the same layer may run many times in one step (shared weights).
    """

    differentiable = True  # whether `backward` is the derivative; sign and step define a gradient of their own
    draws = False  # whether it draws random numbers in training
    takes_integers = False  # whether whole numbers (tokens) are handed to it as they are
    takes_mask = False  # whether a mask (N, T) may come with its sequence, by `with: wire`

    parameters: tuple[Parameter, ...] = ()
    statistics: tuple[Statistic, ...] = ()

    def build(self, *shapes: Shape) -> Shape:
        """Declare `self.parameters` and `self.statistics`; return the output shape, which is the input's unless said.

        Parameters:
            shapes: one shape for each input, without the batch axis

        Raises:
            ShapeError: when the layer cannot take these shapes.
        """
        return shapes[0]

    @abstractmethod
    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """Compute the output and return it with a function from its gradient to the inputs' gradients.

        Parameters:
            mode: what may be known of the run: training or not, memory, kernels, random key
            inputs: batch first
        """

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """Multiply-adds of one forward pass over one example."""
        return 0

    def window(self) -> tuple[int, int | Fraction]:
        """(points of the input that a value sees, steps of the input between two values), for the receptive field."""
        return (1, 1)


class ShapeError(Exception):
    """A layer cannot take the shapes it is given; the graph turns it into an error with the node's place.

    Parameters:
        what: what is wrong
        expected: the shape that would fit
        hint: what to do
    """

    def __init__(self, what: str, expected: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.expected, self.hint = what, expected, hint


def no_backward(dy: Array) -> None:
    """The backward of a pass that was asked to have none."""
    raise RuntimeError("this forward pass was made without a backward")
