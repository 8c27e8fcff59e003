"""Where a network looks while it reads, or says, a text."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.errors import UsageError
from dltrain.looking.reading import Reading
from dltrain.looking.seen import Seen, Tell
from dltrain.model.mode import Mode
from dltrain.registry import register
from dltrain.report.svg import heat_map
from dltrain.types import PositiveInt


@register("view", "attention")
class AttentionMap:
    """The weights of attention layers for a text: a row for each step that looks, a column for each that is looked at.

        a_ts of head h (T, S), Σ_s a_ts = 1

    A network that makes a text from another says one first, always the likeliest token.  Then the rows of a layer over
    the text that is read are the tokens that are said; a layer over what was said so far has that at both axes.  All
    attention layers are shown, or the one that is named.

    Parameters:
        most: heads of a layer that are shown

    Example:
        >>> from dltrain import build_model
        >>> from dltrain.looking import Inside
        >>> chain = [{"embedding": {"vocabulary_size": 3, "units": 4}}, {"multi_head_attention": 2}]
        >>> inside = Inside(build_model({"graph": {"y": chain}}, {"x": (2,)}))
        >>> read = Reading(inside, {"x": np.array([[1, 2]])}, {"x": ["a", "cat"]}, [])
        >>> seen = AttentionMap().look(read, lambda text: None)
        >>> list(seen.figures), seen.arrays["y.1.multi_head_attention"].shape
        (['y.1.multi_head_attention-1', 'y.1.multi_head_attention-2'], (2, 2, 2))

    Source: Bahdanau, Cho, Bengio: Neural machine translation by jointly learning to align and translate, 2015.
    """

    reads = "text"

    def __init__(self, most: PositiveInt = 8) -> None:
        self.most = most

    def look(self, subject: Reading, tell: Tell) -> Seen:
        """A figure for each layer and head."""
        graph, nodes = subject.inside.graph, subject.inside.nodes
        attending = [path for path, node in nodes.items() if hasattr(node.layer, "weights")]
        paths = attending if subject.layer is None else [subject.inside.layer(subject.layer)]
        if not paths or not set(paths) <= set(attending):
            what = "the layer is none of attention" if attending else "the network has no attention"
            raise UsageError(what, where=subject.layer or "attention", expected=", ".join(attending))
        mode, steps = Mode(False, backward=False), subject.depends()
        read = dict.fromkeys(path for name in paths for path in nodes[name].inputs)
        values = graph.forward(subject.inputs, mode=mode, wires=tuple(read))[0]
        seen = Seen({"layers": [], "read": subject.names, "said": subject.said}, {})
        for path in paths:
            node = nodes[path]
            mode.node = node
            layer: Any = node.layer
            weights = layer.weights(mode, *(values[other] for other in node.inputs))[0]
            memory = dict(zip(layer.given, node.inputs[1:], strict=True)).get("memory", node.inputs[0])
            asks, looked = steps[node.inputs[0]], steps[memory]
            rows = subject.said if asks != looked and subject.said else subject.names[asks]
            columns = subject.names[looked]
            weights = weights[:, : len(rows), : len(columns)]
            seen.arrays[path] = weights
            for head, one in enumerate(weights[: self.most]):
                name = path if len(weights) == 1 else f"{path}-{head + 1}"
                seen.figures[name] = heat_map(name, rows, columns, [[round(float(a), 2) for a in row] for row in one])
            sharp = float(np.mean(weights.max(-1)))
            seen.result["layers"].append({"layer": path, "heads": len(weights), "mean_largest_weight": sharp})
            seen.lines.append(
                f"{path}: {len(weights)} head{'s' * (len(weights) > 1)}, largest weight {sharp:.2f} on average"
            )
            if len(weights) > self.most:
                seen.notes.append(f"the first {self.most} of {len(weights)} heads of {path}: `attention: {{most: …}}`")
        if subject.said:
            blank = " " if any(len(name) > 1 for name in subject.said[:-1]) else ""  # words, or characters
            seen.lines.insert(0, "says: " + blank.join(subject.said[:-1]))
        return seen
