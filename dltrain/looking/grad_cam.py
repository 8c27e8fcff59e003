"""Which parts of a picture the last feature maps of a network point at."""

from __future__ import annotations

import numpy as np

from dltrain.errors import UsageError
from dltrain.looking.inside import Inside
from dltrain.looking.seen import Seen, Sheet, Tell, enlarged, heat, laid_over, share
from dltrain.looking.subject import Subject
from dltrain.registry import register


@register("view", "grad_cam")
class GradCam:
    """The feature maps A (h, w, K) of a layer, each weighted by how much the score of a class rises with it (Grad-CAM).

        α_k = mean over i, j of ∂ score / ∂ A[i, j, k]        map = max(0, Σ_k α_k A[:, :, k])

    The map is enlarged to the picture and laid over it.  The layer is the last whose feature maps are as large as
    those of the last convolution (the activation behind it, or the end of its block), or the one that is named.

    Example:
        >>> from dltrain import build_model
        >>> from dltrain.looking import Inside, Unit
        >>> filters = {"filters": 2, "kernel_size": 1, "kernel_initializer": {"constant": [[[[1, -1]]]]}}
        >>> model = build_model({"graph": {"y": [{"conv": filters}, "global_avg_pool"]}}, {"x": (2, 2, 1)})
        >>> x = np.array([[[[3.0], [0.0]], [[0.0], [-3.0]]]], "float32")
        >>> subject = Subject(Inside(model), x, unit=Unit("a", "y", 0))
        >>> GradCam().look(subject, lambda text: None).arrays["map"].tolist()  # α = 1/4, 0
        [[0.75, 0.0], [0.0, 0.0]]

    Raises:
        UsageError: when the network, or the layer that is named, has no feature maps.

    Source: Selvaraju et al.: Grad-CAM: visual explanations from deep networks via gradient-based localization, 2017.
    """

    reads = "picture"

    def look(self, subject: Subject, tell: Tell) -> Seen:
        """One sheet."""
        inside, x, unit = subject.inside, subject.need(), subject.asked()
        path = mapped(inside, subject.layer)
        maps, slopes = inside.values(x, [path])[path][0], inside.derivative(x, [unit], [path]).get(path)
        if slopes is None:
            raise UsageError(
                "the score does not depend on this layer", where=path, expected="a layer before the output"
            )
        weights = slopes[0].mean(axis=(0, 1))
        found = np.maximum(0, maps @ weights)
        picture = subject.shown()
        large = enlarged(found, *picture.shape[:2])
        peak = [int(k) for k in np.unravel_index(int(large.argmax()), large.shape)]
        seen = Seen({**subject.told(), "layer": path, "peak": peak}, {}, {"map": found, "weights": weights})
        labels = [subject.title, f"grad-cam of {unit.title}", path]
        shares = share(large) if found.any() else np.zeros_like(large)
        seen.sheets["grad_cam"] = Sheet([picture, laid_over(picture, shares), heat(shares)], labels, 3)
        size = " × ".join(map(str, found.shape))
        seen.lines = [*subject.lines(), f"{path}, {size}: brightest at row {peak[0]}, column {peak[1]}"]
        if not found.any():
            seen.notes.append("the map is 0 everywhere: no feature map of this layer speaks for the class")
        elif found.size == 1:
            seen.notes.append("the map is a single point: `--layer` names an earlier layer")
        return seen


def mapped(inside: Inside, name: str | None) -> str:
    """The layer whose feature maps are looked at; see `GradCam`.

    Raises:
        UsageError: when there is none.
    """
    sizes = {path: node.shape[:2] for path, node in inside.nodes.items() if len(node.shape) == 3}
    if name is not None:
        path = inside.layer(name)
        if path not in sizes:
            expected = ", ".join(sizes) or "a network of convolutions"
            raise UsageError("the layer makes no feature maps", where=path, expected=expected)
        return path
    kernels = [path for path in sizes if any(len(p.shape) == 4 for p in inside.nodes[path].layer.parameters)]
    if not kernels:
        hint = "`dltrain show saliency` and `occlusion` look at networks of any kind"
        raise UsageError("the network has no convolution", where="grad_cam", expected="feature maps", hint=hint)
    return [path for path, size in sizes.items() if size == sizes[kernels[-1]]][-1]
