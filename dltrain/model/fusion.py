"""Neighbours that run faster as one layer.

A fused layer uses the parameters of its parts, so state and names stay as they are.  `Graph(…, fusions=[])`
runs every layer by itself: the reference the fused ones are tested against.
"""

from __future__ import annotations

from collections.abc import Callable

from dltrain.layers.base import Layer
from dltrain.layers.convolution import ConvActivation
from dltrain.layers.dense import DenseActivation
from dltrain.layers.normalization import BatchNormActivation

Fusion = tuple[tuple[str, ...], Callable[..., Layer]]

FUSIONS: tuple[Fusion, ...] = (
    (("dense", "relu"), DenseActivation),
    (("dense", "tanh"), DenseActivation),
    (("dense", "sigmoid"), DenseActivation),
    (("conv", "relu"), ConvActivation),
    (("conv", "tanh"), ConvActivation),
    (("conv", "sigmoid"), ConvActivation),
    (("batch_norm", "relu"), BatchNormActivation),
)
