"""Learning a tag for every word of a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dltrain.layers.base import Array
from dltrain.metrics import Confusion, Spans, mean_outputs
from dltrain.registry import register
from dltrain.tasks.base import ClassWeight, Task

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet


@register("task", "tagging")
class Tagging(Task):
    """A tag for every word of a sentence, such as its part of speech, or whether it begins a name.

    p(tag k of word t | x) = softmax(logits_t)_k        (N, T, K) -> N sequences of tags

    Every word is a decision: loss and accuracy are means over words, padding counts nowhere.  With `loss: crf` the
    model ends in a layer `crf`, and the likeliest sequence as a whole is taken.  `span_f1` measures spans of words.

    Parameters:
        class_weight: how much the words of each tag count in the loss, whose mean is weighted by it: balanced (every
            tag alike), a list in the order of the tags, or {tag: weight}; left out: all alike

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(classes=["NOUN", "VERB"])
        >>> Tagging().predict(np.array([[[2.0, 1.0], [0.0, 1.0]]]), data)
        [{'tags': ['NOUN', 'VERB']}]

    Source: Collobert et al.: Natural language processing (almost) from scratch, 2011.
    """

    needs = "tags"
    losses = ("softmax_cross_entropy", "focal", "crf")
    metrics = ("accuracy",)
    statistics = ("confusion", "spans")
    ignore_label = "<padding>"  # steps behind the end of a sentence, whose target is -1

    def __init__(self, class_weight: ClassWeight = None) -> None:
        self.class_weight = class_weight

    def units(self, data: DataSet) -> int:
        """One for each tag."""
        return len(data.classes or ())

    def output_shape(self, data: DataSet) -> tuple[int, ...]:
        """(T, K)."""
        return (*data.shape, self.units(data))

    def rows(self, outputs: Array) -> Array:
        """(N, T, K) -> (N·T, K)."""
        return outputs.reshape(-1, outputs.shape[-1])

    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """A confusion matrix of words, and counts of spans."""
        return {"confusion": Confusion(self.units(data)), "spans": Spans(data.classes or ())}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """Tags (N·T,)."""
        return batch.target.reshape(-1)

    def predict(self, outputs: Array, data: DataSet, link: str = "softmax") -> list[dict[str, Any]]:
        """The tag of each step, those of the padding too."""
        tags = data.classes or []
        return [{"tags": [tags[int(k)] for k in row]} for row in outputs.real.argmax(-1)]

    def combine(self, outputs: Sequence[Array], link: str = "softmax") -> Array:
        """Outputs whose probabilities are the mean of the members' probabilities."""
        return mean_outputs([self.rows(some) for some in outputs], link).reshape(outputs[0].shape)
