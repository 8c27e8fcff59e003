"""Learning which class every pixel of a picture belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.layers.base import Array
from dltrain.metrics import Confusion, mean_outputs
from dltrain.registry import register
from dltrain.tasks.base import ClassWeight, Task

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet


@register("task", "segmentation")
class Segmentation(Task):
    """A class for every pixel: the model ends in a map of logits as large as the picture.

    p(class k at pixel i, j | x) = softmax(logits[i, j])_k        (N, H, W, K) -> N masks (H, W)

    Every pixel is a decision: loss and metrics are means over pixels, metrics are those of one confusion matrix.

    Parameters:
        class_weight: how much the pixels of each class count in the loss, whose mean is weighted by it: balanced
            (every class alike), a list in the order of the classes, or {class: weight}; left out: all alike
        ignore_label: pixels with this number count neither in the loss nor in the metrics; it is no class

    Example:
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(classes=["sky", "ground"])
        >>> [prediction] = Segmentation().predict(np.array([[[[2.0, 1.0]], [[0.0, 1.0]], [[0.0, 3.0]]]]), data)
        >>> prediction["mask"].tolist(), prediction["pixels"]["sky"]
        ([[0], [1], [1]], 0.3333333333333333)

    Source: Long, Shelhamer, Darrell: Fully convolutional networks for semantic segmentation, 2015.
    """

    needs = "masks"
    losses = ("softmax_cross_entropy", "focal")
    metrics = ("accuracy", "mean_iou")
    statistics = ("confusion",)

    def __init__(self, class_weight: ClassWeight = None, ignore_label: int | None = None) -> None:
        self.class_weight, self.ignore_label = class_weight, ignore_label

    def units(self, data: DataSet) -> int:
        """One for each class."""
        return len(data.classes or ())

    def output_shape(self, data: DataSet) -> tuple[int, ...]:
        """The picture's height and width, and the classes."""
        return (*data.shape[:2], self.units(data))

    def rows(self, outputs: Array) -> Array:
        """(N, H, W, K) -> (N·H·W, K)."""
        return outputs.reshape(-1, outputs.shape[-1])

    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """A confusion matrix of pixels."""
        return {"confusion": Confusion(self.units(data))}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """Labels (N·H·W,)."""
        return batch.target.reshape(-1).astype(np.int64)

    def predict(
        self, outputs: Array, data: DataSet, link: str = "softmax", cut: Array | None = None
    ) -> list[dict[str, Any]]:
        """The likeliest class of each pixel, and the share of each class in the picture."""
        classes = data.classes or []
        masks = outputs.real.argmax(axis=-1).astype(np.uint8 if len(classes) <= 256 else np.int32)
        shares = [np.bincount(mask.ravel(), minlength=len(classes)) / mask.size for mask in masks]
        return [
            {"mask": mask, "pixels": dict(zip(classes, map(float, share), strict=True))}
            for mask, share in zip(masks, shares, strict=True)
        ]

    def combine(self, outputs: Sequence[Array], link: str = "softmax") -> Array:
        """Outputs whose probabilities are the mean of the members' probabilities."""
        return mean_outputs([self.rows(some) for some in outputs], link).reshape(outputs[0].shape)
