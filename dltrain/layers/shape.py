"""Layers that only arrange values anew."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, MinLen

from dltrain.layers.base import Array, Backward, Layer, Shape, ShapeError
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
        return arranged(mode, inputs[0], (prod(inputs[0].shape[1:]),))


Side = Annotated[int, Ge(-1)]


@register("layer", "reshape")
class Reshape(Layer):
    """The values of an example in another shape, row by row.

    (N, …) -> (N, *target_shape), with as many values

    Parameters:
        target_shape: the new shape without the batch axis; one side may be -1 and follows from the others

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"reshape": [2, -1]}]}}, {"x": (4,)})
        >>> model.forward({"x": np.array([[1, 2, 3, 4]])})[0]["y"].tolist()
        [[[1.0, 2.0], [3.0, 4.0]]]
    """

    def __init__(self, target_shape: Annotated[list[Side], MinLen(1)]) -> None:
        self.target_shape = target_shape

    def build(self, *shapes: Shape) -> Shape:
        """The target, with its open side filled in."""
        sides, size = list(self.target_shape), prod(shapes[0])
        known = prod(side for side in sides if side != -1)
        fits = known > 0 and 0 not in sides and sides.count(-1) <= 1
        if not fits or size % known or (-1 not in sides and size != known):
            expected = f"sides ≥ 1, one of which may be -1, with a product of {size}"
            raise ShapeError(f"{size} values do not fill the shape {sides}", expected)
        self.shape = tuple(size // known if side == -1 else side for side in sides)
        return self.shape

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """A view where the values lie one after the other, else a copy."""
        return arranged(mode, inputs[0], self.shape)


def arranged(mode: Mode, x: Array, target: Shape) -> tuple[Array, Backward]:
    """The values of each example in another shape, and the way back."""
    shape, wanted = x.shape, (x.shape[0], *target)
    if x.flags.c_contiguous:
        return x.reshape(wanted), lambda dy: dy.reshape(shape)
    y = mode.empty(wanted, x.dtype)
    y.reshape(shape)[...] = x
    return y, lambda dy: dy.reshape(shape)
