"""Neighbours that run faster as one layer.

A fused layer uses the parameters of its parts, so state and names stay as they are.  `Graph(…, fusions=[])`
runs every layer by itself: the reference the fused ones are tested against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from dltrain.layers.base import Layer
from dltrain.layers.batch_normalization import BatchNormActivation
from dltrain.layers.convolution import ConvActivation
from dltrain.layers.dense import DenseActivation
from dltrain.model.nodes import Node

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


def fuse(nodes: Sequence[Node], ends: set[str], fusions: Sequence[Fusion]) -> list[Node]:
    """Replace neighbours by a fused layer, never over the end of a wire or over a branch."""
    readers = Counter(path for node in nodes for path in node.inputs)
    fused: list[Node] = []
    start = 0
    while start < len(nodes):
        for kinds, make in fusions:
            part = nodes[start : start + len(kinds)]
            chained = all(b.inputs == (a.path,) for a, b in zip(part, part[1:], strict=False))
            free = all(readers[node.path] == 1 and node.path not in ends for node in part[:-1])
            if tuple(node.kind for node in part) == kinds and chained and free:
                last = part[-1]
                layer = make(*(node.layer for node in part))
                fused.append(Node(last.path, "+".join(kinds), layer, part[0].inputs, last.shape))
                start += len(kinds)
                break
        else:
            node = nodes[start]
            fused.append(Node(node.path, node.kind, node.layer, node.inputs, node.shape))
            start += 1
    return fused
