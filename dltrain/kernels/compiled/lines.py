# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Images inside a border: their rows of pixels lie apart in memory, the values of a row do not.

A kernel takes such an image as an array of any strides, and reads and writes it by `line`.
"""

from __future__ import annotations

import math
from typing import Any

from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np import arrayobj

from dltrain.kernels.arrays import Array

IMAGE = "float32[:,:,:,:,:]"  # (N, D, H, W, C), where W and C lie one after the other
PLACES = "int32[:,:,:,:,:]"
AXES = 3  # of the image: a sequence is one of depth 1 and height 1


def has_lines(x: Array) -> bool:
    """Whether the values of each row of pixels lie one after the other."""
    channels = x.shape[-1] * x.itemsize
    return x.flags.c_contiguous or (x.strides[-1] == x.itemsize and x.strides[-2] == channels)


def as_image(x: Array) -> Array:
    """(N, *S, C) with three axes S, without a copy where there are lines."""
    if not has_lines(x):
        x = x.copy()
    return x.reshape(x.shape[0], *(1,) * (AXES + 2 - x.ndim), *x.shape[1:])


def in_common(*arrays: Array) -> tuple[Array, ...]:
    """Arrays of one shape (…, C) as images with lines of one length: all rows in one where no array has gaps.

    Raises:
        TypeError: where that takes more axes than there are.
    """
    *rows, channels = arrays[0].shape
    return _alike((1, 1, 1, math.prod(rows), channels), arrays)


def by_example(*arrays: Array) -> tuple[Array, ...]:
    """Arrays of one shape (N, …, C) as N images: all rows of an example in one line where no array has gaps.

    Raises:
        TypeError: where that takes more axes than there are.
    """
    examples, *rows, channels = arrays[0].shape
    return _alike((examples, 1, 1, math.prod(rows), channels), arrays)


def _alike(shape: tuple[int, ...], arrays: tuple[Array, ...]) -> tuple[Array, ...]:
    """Arrays in this shape where no array has gaps, else each with the axes it has."""
    if all(x.flags.c_contiguous for x in arrays):
        return tuple(x.reshape(shape) for x in arrays)
    if arrays[0].ndim > AXES + 2:
        raise TypeError("too many axes")
    return tuple(as_image(x) for x in arrays)


@intrinsic
def line(context, x, n, d, h):
    """x[n, d, h] as a flat vector (W·C,)."""
    if not isinstance(x, types.Array) or x.ndim != AXES + 2:
        raise TypingError("a line is one of an image")
    flat = types.Array(x.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        image = arrayobj.make_array(x)(context, builder, values[0])
        strides = cgutils.unpack_tuple(builder, image.strides, x.ndim)
        extents = cgutils.unpack_tuple(builder, image.shape, x.ndim)
        offset = context.get_constant(types.intp, 0)
        for position, stride in zip(values[1:], strides, strict=False):
            offset = builder.add(offset, builder.mul(position, stride))
        made = arrayobj.make_array(flat)(context, builder)
        arrayobj.populate_array(
            made,
            data=cgutils.pointer_add(builder, image.data, offset, image.data.type),
            shape=[builder.mul(extents[-2], extents[-1])],
            strides=[image.itemsize],
            itemsize=image.itemsize,
            meminfo=None,  # borrowed: the image outlives its lines
        )
        return made._getvalue()

    return flat(x, types.intp, types.intp, types.intp), generate
