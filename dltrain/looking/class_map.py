"""Where in a picture of any size a fully convolutional network sees which class."""

from __future__ import annotations

import numpy as np

from dltrain.errors import UsageError
from dltrain.layers.base import Array
from dltrain.looking.inside import Inside, Unit
from dltrain.looking.seen import Seen, Sheet, Tell, laid_over
from dltrain.looking.subject import Subject
from dltrain.model.convolutional import END
from dltrain.model.summary import receptive_fields
from dltrain.registry import register
from dltrain.types import PositiveInt


@register("view", "class_map")
class ClassMap:
    """The probability of each class at each place of a picture, as if a window were moved over it.

        p[i, j, k] = p(class k | the window whose upper left pixel is (i·s, j·s)),  s the product of the strides

    The network must be one of convolutions whose last layer is `global_avg_pool`: all-convolutional, or a classifier
    turned into one by `dltrain convert RUN --fully-convolutional`.  All windows share their convolutions, which is
    many times faster than cutting the picture up.  A picture that is given by `--input` is read as large as it is.  A
    pixel shows the window whose middle is nearest.

    Parameters:
        most: classes whose maps are shown, those that reach the largest probabilities

    Example:
        >>> from dltrain import build_model
        >>> filters = {"filters": 2, "kernel_size": 2, "padding": "valid", "kernel_initializer": "ones"}
        >>> model = build_model({"graph": {"map": [{"conv": filters}], "y": ["global_avg_pool"]}}, {"x": (2, 2, 1)})
        >>> units = [Unit("a", "y", 0), Unit("b", "y", 1)]
        >>> inside = Inside(model, {"x": (4, 3, 1)})
        >>> subject = Subject(inside, np.ones((1, 4, 3, 1)), units=units, window=(2, 2))
        >>> seen = ClassMap().look(subject, lambda text: None)
        >>> seen.arrays["a"].tolist()
        [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]

    Raises:
        UsageError: when the network does not end in `global_avg_pool`.

    Source: Sermanet et al.: OverFeat, 2014; Long, Shelhamer, Darrell: Fully convolutional networks for semantic
        segmentation, 2015.
    """

    reads = "any size"

    def __init__(self, most: PositiveInt = 16) -> None:
        self.most = most

    def look(self, subject: Subject, tell: Tell) -> Seen:
        """One sheet."""
        inside, x = subject.inside, subject.need()
        units = list(subject.units) if subject.unit is None else [subject.unit]
        maps = probabilities(subject, units)
        stride = int(receptive_fields(inside.graph)[before_the_mean(inside, units[0].wire)][1])
        picture = subject.shown()
        seen = Seen(
            {"picture": subject.title, "stride": stride, "window": list(subject.window), "classes": []}, {}, maps
        )
        rows, columns = (
            nearest(pixels, places, side, stride)
            for pixels, places, side in zip(x.shape[1:3], next(iter(maps.values())).shape, subject.window, strict=True)
        )
        for name, values in sorted(maps.items(), key=lambda item: -float(item[1].max())):
            row, column = (int(k) for k in np.unravel_index(int(values.argmax()), values.shape))
            at = {"row": row * stride, "column": column * stride}
            seen.result["classes"].append({"class": name, "largest": float(values.max()), "window_at": at})
        best = [told["class"] for told in seen.result["classes"]]
        drawn = [laid_over(picture, maps[name][rows][:, columns]) for name in best[: self.most]]
        labels = [f"{name}: {maps[name].max():.3g}" for name in best[: self.most]]
        seen.sheets["class_map"] = Sheet([picture, *drawn], [subject.title, *labels])
        height, width = maps[best[0]].shape
        seen.result["places"] = [height, width]
        seen.lines = [
            f"{subject.title}: {height} × {width} windows of {subject.window[0]} × {subject.window[1]} pixels"
        ]
        for told in seen.result["classes"][: self.most]:
            at = told["window_at"]
            seen.lines.append(
                f"{told['class']}: up to {told['largest']:.4f}, at row {at['row']}, column {at['column']}"
            )
        if len(best) > self.most:
            seen.notes.append(
                f"the {self.most} most probable of {len(best)} classes: `class_map: {{most: …}}` shows more"
            )
        return seen


def probabilities(subject: Subject, units: list[Unit]) -> dict[str, Array]:
    """{class: what the network says at each place (H', W')}."""
    inside = subject.inside
    wires = {unit.wire: before_the_mean(inside, unit.wire) for unit in subject.units}
    values = inside.values(subject.need(), tuple(wires.values()))
    size = values[wires[units[0].wire]].shape[1:3]
    outputs = {wire: values[path].reshape(-1, values[path].shape[-1]) for wire, path in wires.items()}
    return {unit.title: subject.said(outputs, unit).reshape(size) for unit in units}


def before_the_mean(inside: Inside, wire: str) -> str:
    """The layer whose values at all places are averaged to an output.

    Raises:
        UsageError: when the output is no such mean.
    """
    last = inside.nodes[inside.graph.plan.wires[wire]]
    if last.kind != END:
        if len(last.shape) == 3:
            hint = "`dltrain predict RUN PICTURE --masks DIR` writes them"
            raise UsageError("the network answers for every pixel by itself", where=last.path, expected=END, hint=hint)
        hint = "`dltrain convert RUN --fully-convolutional` makes such a network of a classifier"
        raise UsageError("the network answers for whole pictures only", where=last.path, expected=END, hint=hint)
    return last.inputs[0]


def nearest(pixels: int, places: int, side: int, stride: int) -> Array:
    """For each pixel of a line the window whose middle is nearest.

    Example:
        >>> nearest(6, 2, 3, 2).tolist()  # middles at 1 and 3
        [0, 0, 1, 1, 1, 1]
    """
    middle = (np.arange(pixels) - (side - 1) / 2) / stride
    return np.floor(middle + 0.5).clip(0, places - 1).astype(int)
