"""The layers, one family a file; importing this package registers them all."""

from dltrain.layers import (
    activation,
    batch_normalization,
    convolution,
    convolution_separable,
    convolution_transpose,
    dense,
    dropout,
    fixed_filter,
    merge,
    normalization,
    padding,
    pooling,
    resize,
    shape,
)
from dltrain.layers.base import Layer, Parameter, ShapeError, Statistic

__all__ = [
    "Layer",
    "Parameter",
    "ShapeError",
    "Statistic",
    "activation",
    "batch_normalization",
    "convolution",
    "convolution_separable",
    "convolution_transpose",
    "dense",
    "dropout",
    "fixed_filter",
    "merge",
    "normalization",
    "padding",
    "pooling",
    "resize",
    "shape",
]
