"""What a network for texts is looked at with: a text that it reads, and the one that it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import UsageError
from dltrain.layers.base import Array
from dltrain.looking.inside import Inside
from dltrain.training.translation import KIND, Translator

if TYPE_CHECKING:
    from dltrain.training.trained import Run

SPACE = "␣"  # so that a blank can be seen at an axis


@dataclass(frozen=True)
class Reading:
    """A text in a network.

    Parameters:
        inside: the network
        inputs: {input: tokens (1, T)}
        names: {input: its tokens as one reads them}; the last input's steps are those at which something is said
        said: the token that is said at each of these steps; [] where none is
        layer: the layer that is asked about, if one is
    """

    inside: Inside
    inputs: dict[str, Array]
    names: dict[str, list[str]]
    said: list[str]
    layer: str | None = None

    def depends(self) -> dict[str, str]:
        """{path: the input whose steps it has}: the last one that it depends on."""
        found = {wire: wire for wire in self.inputs}
        order = list(self.inputs)
        for path, node in self.inside.nodes.items():
            found[path] = max((found[other] for other in node.inputs), key=order.index)
        return found


def reading(run: Run, *, text: str | None, sample: int, split: str, layer: str | None) -> Reading:
    """A text that a run reads.

    Parameters:
        run: a trained run whose data are texts
        text: the text; left out, one of a part of its data
        sample: position in that part
        split: the part
        layer: the layer that is asked about

    Raises:
        UsageError: when the run reads no texts, the text is too long, or there is no such sample.
    """
    data, inside = run.session.data, Inside(run.graph)
    vocabulary = data.vocabulary("x")
    if vocabulary is None:
        raise UsageError("the run reads no texts", where=run.folder.name, expected="a run whose data are texts")
    if text is None:
        part = run.loader(split).examples.columns["x"]
        if not 0 <= sample < len(part):
            where = f"--sample, {split}"
            raise UsageError("there is no such sample", where=where, expected=f"0 to {len(part) - 1}", got=str(sample))
        tokens = [token for token in part[sample].tolist() if token]
    else:
        tokens = vocabulary.encode(text)
    steps = data.shape[0]
    if not 0 < len(tokens) <= steps:
        what = "the text has too many tokens" if tokens else "the text is empty"
        raise UsageError(what, where="--text", expected=f"1 to {steps} tokens", got=str(len(tokens)))
    x = np.zeros((1, steps), np.int64)
    x[0, : len(tokens)] = tokens
    source, *others = run.graph.inputs
    inputs, names, said = {source: x}, {source: shown(vocabulary, tokens)}, []
    if run.kind == KIND:
        translator: Any = Translator(run)
        [best] = translator.say(x)
        given = np.zeros((1, data.given_shape[0]), np.int64)
        before = [translator.target.begin, *best.tokens][: given.shape[1]]
        given[0, : len(before)] = before
        inputs[others[0]], names[others[0]] = given, shown(translator.target, before)
        said = shown(translator.target, [*best.tokens, translator.target.end][: len(before)])
    return Reading(inside, inputs, names, said, layer)


def shown(vocabulary: Any, tokens: list[int]) -> list[str]:
    """Tokens as one reads them at an axis."""
    return [vocabulary.names[token].replace(" ", SPACE).replace("\n", "⏎") for token in tokens]
