"""Which parts of a picture a network's answer hangs on, by hiding them."""

from __future__ import annotations

import numpy as np

from dltrain.errors import UsageError
from dltrain.layers.base import Array
from dltrain.looking.inside import BATCH
from dltrain.looking.seen import Seen, Sheet, Tell, laid_over, share, signed
from dltrain.looking.subject import Subject
from dltrain.registry import register
from dltrain.types import PositiveInt

PIECES = 6  # patches that lie side by side along the shorter side of a picture, where their size is left out


@register("view", "occlusion")
class Occlusion:
    """How the probability of a class falls where a grey patch hides a part of the picture.

        drop[i, j] = p(class | picture) - mean over the patches that cover (i, j) of p(class | picture with the patch)

    Shown are the picture, the drop as heat over it, and the drop by itself (red: what is hidden there speaks for the
    class, blue: against it).  For numbers (regression) it is the drop of the predicted value.

    Parameters:
        size: side of the patch in pixels; left out: a sixth of the picture's shorter side
        stride: pixels between two places of the patch; left out: half its side
        fill: value of the patch in the prepared picture; left out: the mean of each channel of the picture, a grey

    Example:
        >>> from dltrain import build_model
        >>> from dltrain.looking import Inside, Unit
        >>> model = build_model({"graph": {"y": ["flatten", {"dense": 2}]}}, {"x": (4, 4, 1)})
        >>> model.parameters["y.1.dense.kernel"].value[:] = 0
        >>> model.parameters["y.1.dense.kernel"].value[5, 1] = 9  # the pixel at (1, 1)
        >>> x = np.zeros((1, 4, 4, 1), "float32")
        >>> x[0, 1, 1] = 1
        >>> subject = Subject(Inside(model), x, unit=Unit("b", "y", 1))
        >>> seen = Occlusion(size=1, fill=0.0).look(subject, lambda text: None)
        >>> seen.result["peak"], round(seen.result["drop"], 3)  # 1 / (1 + exp(-9)) - 1/2
        ([1, 1], 0.5)

    Raises:
        UsageError: when the patch is larger than the picture.

    Source: Zeiler, Fergus: Visualizing and understanding convolutional networks, 2014, section 4.2.
    """

    reads = "picture"

    def __init__(
        self, size: PositiveInt | None = None, stride: PositiveInt | None = None, fill: float | None = None
    ) -> None:
        self.size, self.stride, self.fill = size, stride, fill

    def look(self, subject: Subject, tell: Tell) -> Seen:
        """One sheet."""
        x, unit = subject.need(), subject.asked()
        height, width = x.shape[1:3]
        size = self.size or max(1, min(height, width) // PIECES)
        stride = self.stride or max(1, size // 2)
        if size > min(height, width):
            expected = f"a size of at most {min(height, width)}"
            raise UsageError(
                "the patch is larger than the picture", where="occlusion", expected=expected, got=str(size)
            )
        corners = [(top, left) for top in starts(height, size, stride) for left in starts(width, size, stride)]
        fill = x[0].mean(axis=(0, 1)) if self.fill is None else self.fill
        before = float(subject.say(x, unit)[0])
        total, count = np.zeros((height, width)), np.zeros((height, width))
        for start in range(0, len(corners), BATCH):
            tell(f"patch {start} of {len(corners)}")
            some = corners[start : start + BATCH]
            for (top, left), said in zip(some, subject.say(hidden(x, some, size, fill), unit), strict=True):
                total[top : top + size, left : left + size] += said
                count[top : top + size, left : left + size] += 1
        drop = before - total / count
        peak = [int(k) for k in np.unravel_index(int(drop.argmax()), drop.shape)]
        facts = {"peak": peak, "drop": float(drop.max()), "size": size, "stride": stride, "patches": len(corners)}
        seen = Seen({**subject.told(), **facts}, {}, {"drop": drop})
        picture = subject.shown()
        labels = [subject.title, f"{unit.title} falls by", f"{drop.min():.2g} to {drop.max():.2g}"]
        hot = laid_over(picture, share(drop.clip(0)))
        seen.sheets["occlusion"] = Sheet([picture, hot, signed(drop)], labels, 3)
        where = f"row {peak[0]}, column {peak[1]}"
        seen.lines = [
            *subject.lines(),
            f"{len(corners)} patches of {size} × {size}: falls most, by {drop.max():.4f}, at {where}",
        ]
        return seen


def starts(extent: int, size: int, stride: int) -> list[int]:
    """Where patches begin along a side, the last one at its end.

    Example:
        >>> starts(10, 4, 3), starts(11, 4, 3)
        ([0, 3, 6], [0, 3, 6, 7])
    """
    last = extent - size
    return sorted({*range(0, last + 1, stride), last})


def hidden(x: Array, corners: list[tuple[int, int]], size: int, fill: Array | float) -> Array:
    """Copies of a picture (1, H, W, C), each with a patch at one of the corners."""
    copies = np.repeat(x, len(corners), axis=0)
    for copy, (top, left) in zip(copies, corners, strict=True):
        copy[top : top + size, left : left + size] = fill
    return copies
