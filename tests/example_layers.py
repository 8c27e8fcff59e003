"""Layers that are still to come, in small: they show that graph, arena and gradient check have room for them.

A convolution with strides is written in NumPy; an embedding takes integers; a masked mean takes a second wire.  They
are registered by a fixture and removed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dltrain import registry
from dltrain.layers.base import Array, Backward, Layer, Parameter, Shape, ShapeError
from dltrain.model.mode import Mode


class ExampleConv(Layer):
    """3 × 3 convolution with zero padding.

        y = Σ_ij x[i:, j:] W[i, j] + b        (N, H, W, C) -> (N, ⌈H/s⌉, ⌈W/s⌉, O)

    Parameters:
        filters: number of outputs O
        strides: s
    """

    def __init__(self, filters: int, strides: int = 1) -> None:
        self.filters, self.strides = filters, strides

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) != 3:
            raise ShapeError("example_conv takes images", "(height, width, channels)")
        height, width, channels = shape
        fans = (9 * channels, 9 * self.filters)
        self.kernel = Parameter("kernel", (3, 3, channels, self.filters), "he_normal", fans=fans, decays=True)
        self.bias = Parameter("bias", (self.filters,), "zeros", fans=fans)
        self.parameters = (self.kernel, self.bias)
        return -(-height // self.strides), -(-width // self.strides), self.filters

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        (x,) = inputs
        kernel, bias, s = self.kernel, self.bias, self.strides
        whole = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # (N, H + 2, W + 2, C)
        n, height, width, _ = x.shape
        y = mode.output((n, -(-height // s), -(-width // s), self.filters), x.dtype)
        places = [(i, j, np.s_[:, i : i + height : s, j : j + width : s]) for i in range(3) for j in range(3)]
        y[...] = bias.value
        for i, j, place in places:
            y += whole[place] @ kernel.value[i, j]
        needs_dx = mode.needs_dx

        def backward(dy: Array) -> Array | None:
            dW = np.empty_like(kernel.value)
            for i, j, place in places:
                dW[i, j] = np.tensordot(whole[place], dy, axes=([0, 1, 2], [0, 1, 2]))
            for parameter, gradient in ((kernel, dW), (bias, dy.sum((0, 1, 2)))):
                if parameter.accumulates():
                    parameter.grad += gradient
                else:
                    parameter.grad[...] = gradient
            if not needs_dx:
                return None
            bordered = mode.empty(whole.shape, x.dtype)
            bordered.fill(0)
            for i, j, place in places:
                bordered[place] += dy @ kernel.value[i, j].T
            dx = mode.like(x)
            dx[...] = bordered[:, 1:-1, 1:-1]
            return dx

        return y, backward


class ExampleEmbedding(Layer):
    """A vector for each token: y = E[tokens]        (N, T) -> (N, T, D)

    Parameters:
        vocabulary: number of tokens
        width: D
    """

    takes_integers = True

    def __init__(self, vocabulary: int, width: int) -> None:
        self.vocabulary, self.width = vocabulary, width

    def build(self, *shapes: Shape) -> Shape:
        self.embeddings = Parameter("embeddings", (self.vocabulary, self.width), "normal")
        self.parameters = (self.embeddings,)
        return (*shapes[0], self.width)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        (tokens,) = inputs
        E = self.embeddings
        y = mode.output((*tokens.shape, self.width), E.value.dtype)
        y[...] = E.value[tokens]

        def backward(dy: Array) -> None:
            if not E.accumulates():
                E.grad.fill(0)
            np.add.at(E.grad, tokens, dy)

        return y, backward


class ExampleMaskedMean(Layer):
    """Mean over the time steps that the mask counts: y = Σ m x / Σ m        (N, T, D), (N, T) -> (N, D)"""

    merges = True

    def build(self, *shapes: Shape) -> Shape:
        x, mask = shapes
        if x[:1] != mask:
            raise ShapeError("the mask has one value for each time step", str(x[:1]))
        return x[1:]

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        x, mask = inputs
        total = mask.sum(1)[:, None]
        y = mode.output((len(x), x.shape[2]), x.dtype)
        y[...] = np.einsum("ntd,nt->nd", x, mask) / total

        def backward(dy: Array) -> tuple[Array, Array]:
            dx, dmask = mode.like(x), mode.like(mask)
            share = dy / total
            dx[...] = mask[:, :, None] * share[:, None, :]
            dmask[...] = np.einsum("ntd,nd->nt", x, share) - (y * share).sum(1)[:, None]
            return dx, dmask

        return y, backward


EXAMPLES: dict[str, Any] = {
    "example_conv": ExampleConv,
    "example_embedding": ExampleEmbedding,
    "example_masked_mean": ExampleMaskedMean,
}


@contextmanager
def registered(**layers: Any) -> Iterator[None]:
    """While it lasts, configs know these layers."""
    known = registry.entries("layer")
    for name, layer in layers.items():
        doc = layer.__doc__ or "A layer for tests."
        registry.add(registry.Entry("layer", name, layer, registry.arguments_of(layer), doc))
    try:
        yield
    finally:
        for name in layers:
            del known[name]
