"""What the layers of a network make of a picture."""

from __future__ import annotations

from dltrain.errors import UsageError
from dltrain.looking.seen import Seen, Sheet, Tell, grey
from dltrain.looking.subject import Subject
from dltrain.registry import register
from dltrain.types import PositiveInt


@register("view", "activations")
class Activations:
    """The feature maps of a layer for a picture: y (H, W, C) as C pictures, each from its least value to its largest.

        shade = (y - min y) / (max y - min y), over each map

    A label says the number of the map and its largest value.  All layers that make feature maps are shown, each on a
    sheet, or the one that is named.

    Parameters:
        most: maps of a layer that are shown

    Example:
        >>> from dltrain import build_model
        >>> import numpy as np
        >>> from dltrain.looking import Inside
        >>> model = build_model({"graph": {"y": [{"conv": {"filters": 4}}, "relu"]}}, {"x": (8, 8, 1)})
        >>> seen = Activations().look(Subject(Inside(model), np.ones((1, 8, 8, 1), "float32")), lambda text: None)
        >>> list(seen.sheets), seen.arrays["y.1.relu"].shape
        (['y.0.conv', 'y.1.relu'], (8, 8, 4))

    Source: Zeiler, Fergus: Visualizing and understanding convolutional networks, 2014.
    """

    reads = "picture"

    def __init__(self, most: PositiveInt = 64) -> None:
        self.most = most

    def look(self, subject: Subject, tell: Tell) -> Seen:
        """A sheet for each layer."""
        inside, x = subject.inside, subject.need()
        mapped = [path for path, node in inside.nodes.items() if len(node.shape) == 3]
        paths = mapped if subject.layer is None else [inside.layer(subject.layer)]
        if not set(paths) <= set(mapped) or not paths:
            what = "the layer makes no feature maps" if mapped else "the network makes no feature maps"
            expected = ", ".join(mapped) or "a network of convolutions"
            raise UsageError(what, where=paths[0] if paths else "activations", expected=expected)
        values = inside.values(x, paths)
        seen = Seen({"layers": []}, {})
        for path in paths:
            maps = values[path][0]
            largest = maps.max(axis=(0, 1))
            shown = range(min(maps.shape[-1], self.most))
            labels = [f"{c}: {largest[c]:.3g}" for c in shown]
            seen.sheets[path] = Sheet([grey(maps[..., c : c + 1]) for c in shown], labels)
            seen.arrays[path] = maps
            silent = int((largest <= 0).sum())
            seen.result["layers"].append({"layer": path, "shape": list(maps.shape), "never_positive": silent})
            seen.lines.append(f"{path}: {' × '.join(map(str, maps.shape))}, {silent} maps nowhere above 0")
        cut = [path for path in paths if values[path].shape[-1] > self.most]
        if cut:
            seen.notes.append(f"the first {self.most} maps of {len(cut)} layers: `activations: {{most: …}}` shows more")
        return seen
