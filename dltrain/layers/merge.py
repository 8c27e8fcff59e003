"""Layers that join several wires."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from dltrain.layers.base import Array, Backward, Layer, Shape, ShapeError
from dltrain.registry import register

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("layer", "add")
class Add(Layer):
    """Sum of wires of one shape.

        y = x₁ + x₂ + …, dxᵢ = dy        (N, …)

    Write the branches, ``add: [[], [dense: 8, relu]]`` ([] is the identity), or name wires, ``add: {with: h1}``.

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"add": [[], ["relu"]]}]}}, {"x": (2,)})
        >>> model.forward({"x": np.array([[-1.0, 2.0]])})[0]["y"].tolist()  # x + relu(x)
        [[-1.0, 4.0]]

    Source: He et al.: Deep residual learning for image recognition, 2015.
    """

    any_length = True
    merges = True

    def build(self, *shapes: Shape) -> Shape:
        """All shapes are the same."""
        if any(shape != shapes[0] for shape in shapes):
            raise ShapeError("add joins wires of one shape", f"{shapes[0]} from all of them")
        return shapes[0]

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The gradient goes to every input."""
        y = mode.kernels(inputs[0]).add(inputs, mode.output(inputs[0].shape, inputs[0].dtype))
        count = len(inputs)
        return y, lambda dy: (dy,) * count


@register("layer", "multiply")
class Multiply(Layer):
    """Product of wires, element by element: gates and attention masks.

        y = x₁ x₂ …, dxᵢ = dy Π_{j≠i} xⱼ        (N, …)

    The wires have one shape; some of them may instead have one value for each channel, (N, C), which then counts for
    all places of an image (N, H, W, C): so squeeze-and-excite is
    ``multiply: [[], [global_avg_pool, dense: 4, relu, dense: 64, sigmoid]]``.

    Write the branches, ``multiply: [[], [dense: 8, sigmoid]]`` ([] is the identity), or name wires,
    ``multiply: {with: gate}``.

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"multiply": [[], ["relu"]]}]}}, {"x": (2,)})
        >>> model.forward({"x": np.array([[-1.0, 3.0]])})[0]["y"].tolist()  # x · relu(x)
        [[-0.0, 9.0]]

    Source: Hochreiter, Schmidhuber: Long short-term memory, 1997; of channels: Hu, Shen, Sun: Squeeze-and-excitation
    networks, 2018.
    """

    merges = True

    def build(self, *shapes: Shape) -> Shape:
        """All shapes are the same, or only the channels of the others."""
        whole = max(shapes, key=len)
        if any(shape not in (whole, whole[-1:]) for shape in shapes):
            raise ShapeError(
                "multiply joins wires of one shape, or of one value for each channel",
                f"{whole}" if len(whole) == 1 else f"{whole} or {whole[-1:]} from all of them",
            )
        self.gates = [shape != whole for shape in shapes]
        return whole

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The product of the images, times that of the channels' gates."""
        images = tuple(x for x, gate in zip(inputs, self.gates, strict=True) if not gate)
        gates = tuple(x for x, gate in zip(inputs, self.gates, strict=True) if gate)
        x, images_back = product(mode, images)
        if not gates:
            return x, images_back
        s, gates_back = product(mode, gates)
        k, order = mode.kernels(x), self.gates
        y = k.scale_channels(x, s, mode.output(x.shape, x.dtype))

        def backward(dy: Array) -> tuple[Array, ...]:
            ds = k.channel_products(x, dy, mode.like(s))
            dx = k.scale_channels(dy, s, mode.like(x))
            of_images, of_gates = iter(images_back(dx)), iter(gates_back(ds))
            return tuple(next(of_gates if gate else of_images) for gate in order)

        return y, backward

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """One product for each value and each wire after the first."""
        return (len(shapes) - 1) * prod(output)


def product(mode: Mode, inputs: tuple[Array, ...]) -> tuple[Array, Callable[[Array], tuple[Array, ...]]]:
    """The product of arrays of one shape.

    Each gradient is a product without its own factor: nothing is divided, so zeros are no exception.
    """
    if len(inputs) == 1:
        return inputs[0], lambda dy: (dy,)
    k = mode.kernels(inputs[0])
    y = k.multiply(inputs, mode.output(inputs[0].shape, inputs[0].dtype))

    def backward(dy: Array) -> tuple[Array, ...]:
        others = [(dy, *inputs[:i], *inputs[i + 1 :]) for i in range(len(inputs))]
        return tuple(k.multiply(factors, mode.like(x)) for factors, x in zip(others, inputs, strict=True))

    return y, backward


@register("layer", "concat")
class Concat(Layer):
    """Wires side by side along their last axis (features, channels).

        y = [x₁, x₂, …]        (N, …, C₁), (N, …, C₂), … -> (N, …, C₁ + C₂ + …)

    Write the branches, ``concat: [[dense: 8], [dense: 4]]``, or name wires, ``concat: {with: h1}``.

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"concat": [[], ["relu"]]}]}}, {"x": (2,)})
        >>> model.forward({"x": np.array([[-1.0, 2.0]])})[0]["y"].tolist()  # x, then relu(x)
        [[-1.0, 2.0, 0.0, 2.0]]

    Source: Szegedy et al.: Going deeper with convolutions, 2014.
    """

    any_length = True
    merges = True

    def build(self, *shapes: Shape) -> Shape:
        """All axes but the last are the same."""
        if any(shape[:-1] != shapes[0][:-1] for shape in shapes):
            raise ShapeError("concat joins wires that differ only in the last axis", f"{shapes[0][:-1]} before it")
        self.cuts = [int(cut) for cut in np.cumsum([0, *(shape[-1] for shape in shapes)])]
        return (*shapes[0][:-1], self.cuts[-1])

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The gradient is cut where the inputs were joined."""
        first, cuts = inputs[0], self.cuts
        y = mode.output((*first.shape[:-1], cuts[-1]), first.dtype)
        np.concatenate(inputs, axis=-1, out=y)

        def backward(dy: Array) -> tuple[Array, ...]:
            parts = []
            for x, start, stop in zip(inputs, cuts, cuts[1:], strict=False):
                dx = mode.like(x)
                dx[...] = dy[..., start:stop]
                parts.append(dx)
            return tuple(parts)

        return y, backward
