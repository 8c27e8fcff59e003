"""Where the kernel of a convolution comes to lie on its image: sizes for each axis, padding, extent of the output."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from annotated_types import MinLen

from dltrain.kernels.window import Window
from dltrain.layers.base import Shape, ShapeError
from dltrain.types import NonNegativeInt, PositiveInt, Words

Sizes = Annotated[
    PositiveInt | Annotated[list[PositiveInt], MinLen(1)],
    Words("a whole number ≥ 1, or a list with one for each axis"),
]
Padding = Annotated[
    Literal["same", "valid"] | NonNegativeInt | Annotated[list[NonNegativeInt], MinLen(1)],
    Words("same, valid, a whole number ≥ 0, or a list with one for each axis"),
]
Points = Annotated[
    NonNegativeInt | Annotated[list[NonNegativeInt], MinLen(1)],
    Words("a whole number ≥ 0, or a list with one for each axis"),
]
IMAGES = "(time, channels), (height, width, channels) or (depth, height, width, channels)"


class Geometry(NamedTuple):
    """The places of a kernel.

    Parameters:
        sizes: K, of the kernel along each axis
        window: how it moves
        places: how many places it takes along each axis, which is the extent of the output
    """

    sizes: tuple[int, ...]
    window: Window
    places: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, int]:
        """(points that the kernel spans, stride) of the axis along which it spans most."""
        spans = zip(map(span, self.sizes, self.window.dilation), self.window.strides, strict=True)
        return max(spans)


def fit(
    space: Shape, kernel_size: Sizes, strides: Sizes, padding: Padding, dilation_rate: Sizes, groups: int = 1
) -> Geometry:
    """How a kernel is laid over an image.

    With `same` there are ⌈extent / stride⌉ places; the zeros this takes are shared by both ends, an odd one lies at
    the far end.  With `valid` the kernel stays inside; a number is that of zeros at both ends.

    Parameters:
        space: extents of the image's axes, without the channels
        kernel_size: sizes of the kernel
        strides: steps between two places
        padding: same, valid or numbers of zeros
        dilation_rate: steps between two points of the kernel
        groups: of the channels

    Raises:
        ShapeError: when a list has not one number for each axis, or the kernel is wider than the image.

    Example:
        >>> fit((5, 6), 3, 2, "same", 1).places, fit((5, 6), [3, 2], 1, "valid", 1).places
        ((3, 3), (3, 5))
    """
    rank = len(space)
    sizes = for_each_axis("kernel_size", kernel_size, rank)
    steps = for_each_axis("strides", strides, rank)
    dilation = for_each_axis("dilation_rate", dilation_rate, rank)
    spans = tuple(map(span, sizes, dilation))
    ends = ends_of(space, spans, steps, padding)
    counts = zip(space, spans, steps, ends, strict=True)
    places = tuple((before + extent + after - wide) // step + 1 for extent, wide, step, (before, after) in counts)
    if min(places) < 1:
        hint = "take a smaller kernel, `padding: same`, or fewer layers that shrink the image"
        what = f"a kernel that spans {side_by_side(spans)} points does not fit into {side_by_side(space)}"
        raise ShapeError(what, "a larger image", hint)
    return Geometry(sizes, Window(steps, dilation, tuple(before for before, _ in ends), groups), places)


def ends_of(space: Shape, spans: Shape, steps: Shape, padding: Padding) -> tuple[tuple[int, int], ...]:
    """(points before the image, points behind it) along each axis.

    With `same` they are what ⌈extent / stride⌉ places take, half at each end, an odd one at the far end.

    Parameters:
        space: extents of the image's axes
        spans: points that a kernel or window covers along each axis
        steps: between two places
        padding: same, valid or numbers of points

    Raises:
        ShapeError: when a list has not one number for each axis.

    Example:
        >>> ends_of((5, 6), (2, 3), (2, 2), "same"), ends_of((5,), (3,), (1,), 2)
        (((0, 1), (0, 1)), ((2, 2),))
    """
    if padding == "same":
        axes = zip(space, spans, steps, strict=True)
        missing = [max(0, (-(-extent // step) - 1) * step + wide - extent) for extent, wide, step in axes]
        return tuple((points // 2, points - points // 2) for points in missing)
    points = (0,) * len(space) if padding == "valid" else for_each_axis("padding", padding, len(space))
    return tuple((number, number) for number in points)


def axes_of(shape: Shape, layer: str) -> int:
    """How many axes an image has beside its channels: 1 for a sequence, 3 for a volume.

    Parameters:
        shape: of one example
        layer: its name, for the error

    Raises:
        ShapeError: when it is no image.
    """
    if len(shape) not in (2, 3, 4):
        hint = "`reshape: [height, width, channels]` makes an image of a vector"
        raise ShapeError(f"{layer} takes sequences, images or volumes", IMAGES, hint)
    return len(shape) - 1


def side_by_side(sizes: Shape) -> str:
    """2×2"""
    return "×".join(map(str, sizes))


def fit_transposed(
    space: Shape,
    kernel_size: Sizes,
    strides: Sizes,
    padding: Padding,
    dilation_rate: Sizes,
    output_padding: Points,
    groups: int = 1,
) -> Geometry:
    """Make the image on which a kernel takes `space` places, as `fit` lays it.

    With `same` it has extent · stride points; else all that the kernel covers, less `padding` points at both ends, and
    `output_padding` more at the far end, since up to stride - 1 points that the kernel does not reach leave no trace.

    Parameters:
        space: how many places the kernel takes along each axis
        kernel_size: sizes of the kernel
        strides: steps between two places
        padding: same, valid or numbers of points
        dilation_rate: steps between two points of the kernel
        output_padding: points more at the far end
        groups: of the channels

    Raises:
        ShapeError: when a list has not one number for each axis, the points more are none that strides leave over, or
            nothing is left of the image.

    Example:
        >>> fit_transposed((3, 5), 3, 2, "same", 1, 0).places, fit_transposed((3, 5), 3, 2, 1, 1, [0, 1]).places
        ((6, 10), (5, 10))
    """
    rank = len(space)
    sizes = for_each_axis("kernel_size", kernel_size, rank)
    steps = for_each_axis("strides", strides, rank)
    dilation = for_each_axis("dilation_rate", dilation_rate, rank)
    more = for_each_axis("output_padding", output_padding, rank)
    spans = tuple(map(span, sizes, dilation))
    if padding == "same":
        if any(more):
            what = f"output_padding {output_padding} has no meaning with `padding: same`, which makes extent · stride"
            raise ShapeError(what, "output_padding 0", "give padding a number")
        places = tuple(extent * step for extent, step in zip(space, steps, strict=True))
        return fit(places, list(sizes), list(steps), "same", list(dilation), groups)._replace(places=places)
    if any(points >= step for points, step in zip(more, steps, strict=True)):
        what = f"output_padding {output_padding} makes room for another place of the kernel"
        raise ShapeError(what, f"numbers below strides, which are {list(steps)}", "take a larger extent instead")
    before = (0,) * rank if padding == "valid" else for_each_axis("padding", padding, rank)
    axes = zip(space, steps, spans, before, more, strict=True)
    places = tuple((extent - 1) * step + wide - 2 * cut + points for extent, step, wide, cut, points in axes)
    if min(places) < 1:
        made = "×".join(str(size + 2 * cut) for size, cut in zip(places, before, strict=True))
        what = f"padding {padding} leaves nothing of the {made} points that the kernel makes"
        raise ShapeError(what, "a smaller padding", "take `padding: same`, or a larger kernel")
    return Geometry(sizes, Window(steps, dilation, before, groups), places)


def for_each_axis(name: str, value: int | list[int] | str, rank: int) -> tuple[int, ...]:
    """A number for each of the axes.

    Raises:
        ShapeError: when a list has not as many.
    """
    if not isinstance(value, list):
        return (int(value),) * rank
    if len(value) != rank:
        axes = f"{len(value)} ax{'is' if len(value) == 1 else 'es'}"
        hint = f"give {name} one number, or a list of {rank}"
        raise ShapeError(
            f"{name} {value} is for an image of {axes}, but this one has {rank}", f"{axes} and channels", hint
        )
    return tuple(value)


def span(size: int, dilation: int) -> int:
    """How many points a dilated kernel spans."""
    return (size - 1) * dilation + 1
