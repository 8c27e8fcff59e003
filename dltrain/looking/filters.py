"""The weights of a layer as pictures."""

from __future__ import annotations

import numpy as np

from dltrain.errors import UsageError
from dltrain.layers.base import Array
from dltrain.looking.inside import Inside
from dltrain.looking.seen import Seen, Sheet, Tell, grey
from dltrain.looking.subject import Subject
from dltrain.registry import register
from dltrain.types import PositiveInt

ARRANGING = frozenset({"flatten", "reshape", "dropout", "gaussian_noise"})  # they leave every pixel what it was


@register("view", "filters")
class Filters:
    """The filters of a layer, what each answers to: the kernel W (KH, KW, C, O) as O pictures of KH × KW points.

        shade = (W - min W) / (max W - min W), over each filter

    Filters over three channels are shown in red, green and blue, others as a slice for each channel.  The units of a
    dense layer that reads the picture itself are such filters too, as large as the picture.  The layer is the first
    that has some, or the one that is named.

    Parameters:
        most: pictures that are shown

    Example:
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"conv": {"filters": 4, "kernel_size": 3}}]}}, {"x": (8, 8, 3)})
        >>> seen = Filters().look(Subject(Inside(model)), lambda text: None)
        >>> seen.result["shape"], len(seen.sheets["y.0.conv"].pictures)
        ([3, 3, 3, 4], 4)

    Source: Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks, 2012,
    figure 3.
    """

    reads = "nothing"

    def __init__(self, most: PositiveInt = 64) -> None:
        self.most = most

    def look(self, subject: Subject, tell: Tell) -> Seen:
        """One sheet."""
        path, kernel = kernel_of(subject.inside, subject.layer)
        pictures, labels = as_pictures(kernel)
        seen = Seen({"layer": path, "shape": list(kernel.shape)}, {}, {"kernel": kernel})
        seen.sheets[path] = Sheet(pictures[: self.most], labels[: self.most])
        height, width, channels, count = kernel.shape
        seen.lines = [f"{path}: {count} filters of {height} × {width} points, {channels} channels"]
        if len(pictures) > self.most:
            seen.notes.append(f"the first {self.most} of {len(pictures)} pictures: `filters: {{most: …}}` shows more")
        return seen


def as_pictures(kernel: Array) -> tuple[list[Array], list[str]]:
    """A picture for each filter of (KH, KW, C, O), or for each of its channels, and their names.

    Example:
        >>> pictures, labels = as_pictures(np.arange(8.0).reshape(2, 1, 2, 2))
        >>> labels, pictures[0].ravel().tolist()  # of filter 0: 0 and 4, among 0, 2, 4, 6
        (['0.0', '0.1', '1.0', '1.1'], [0, 170])
    """
    filters = [grey(kernel[..., o]) for o in range(kernel.shape[-1])]
    channels = kernel.shape[2]
    if channels in (1, 3):
        return filters, [str(o) for o in range(len(filters))]
    slices = [(o, c) for o in range(len(filters)) for c in range(channels)]
    return [filters[o][..., c : c + 1] for o, c in slices], [f"{o}.{c}" for o, c in slices]


def kernel_of(inside: Inside, name: str | None) -> tuple[str, Array]:
    """The path and the kernel (KH, KW, C, O) of a layer; of the first that has one where none is named.

    Raises:
        UsageError: when it has none.
    """
    kernels = {path: kernel for path in inside.nodes if (kernel := picture_kernel(inside, path)) is not None}
    path = next(iter(kernels), None) if name is None else inside.layer(name)
    if path not in kernels:
        expected = ", ".join(kernels) or "a network with a convolution, or a dense layer that reads the picture"
        what = "the network has no filters" if name is None else "the layer has no filters"
        raise UsageError(what, where=str(path or "filters"), expected=expected)
    return path, kernels[path]


def picture_kernel(inside: Inside, path: str) -> Array | None:
    """The kernel of a layer as (KH, KW, C, O); None where its weights make no pictures."""
    node = inside.nodes[path]
    found = next((p.value for p in node.layer.parameters if p.name.endswith("kernel") and p.value.ndim in (2, 4)), None)
    if found is None or found.ndim == 4:
        return None if found is None else found.copy()
    (source,) = node.inputs
    while source in inside.nodes and inside.nodes[source].kind in ARRANGING:
        (source,) = inside.nodes[source].inputs
    shape = inside.graph.inputs.get(source, ())
    fits = len(shape) == 3 and int(np.prod(shape)) == len(found)
    return found.reshape(*shape, -1).copy() if fits else None
