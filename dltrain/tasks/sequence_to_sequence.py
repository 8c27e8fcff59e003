"""Learning to make one text from another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.layers.base import Array
from dltrain.metrics import Certainty, Hits, mean_outputs
from dltrain.registry import register
from dltrain.tasks.base import Task

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet


@register("task", "sequence_to_sequence")
class SequenceToSequence(Task):
    """From one sequence of tokens to another: translation, dates in another form.

    p(y_t | x, y_1 … y_{t-1}) = softmax(logits_t); the loss is the mean cross-entropy of all tokens, the end included

    The model has two inputs: the text x (S,), and `given` (T,), the tokens before each that is to be said: in training
    the right ones (teacher forcing), behind a token that says where a text begins.  It ends in one logit for each token
    (T, V); nothing in it may look ahead in `given`.  `$source_size` is the size of the vocabulary of x, and
    `$target_size` that of `given`.  Texts are written by `dltrain predict`, token by token, and `dltrain evaluate`
    compares them with the right ones.

    Example:
        >>> from types import SimpleNamespace
        >>> from dltrain.data.vocabulary import Vocabulary
        >>> known = Vocabulary("words", ["<padding>", "<unknown>", "<begin>", "<end>", "yes"])
        >>> data = SimpleNamespace(vocabulary=lambda column: known)
        >>> SequenceToSequence().predict(np.eye(5)[None, [4, 3, 4]], data)
        [{'text': 'yes'}]

    Source: Sutskever, Vinyals, Le: Sequence to sequence learning with neural networks, 2014; teacher forcing: Williams,
    Zipser: A learning algorithm for continually running fully recurrent neural networks, 1989.
    """

    needs = "pairs"
    columns = ("x", "given")
    losses = ("softmax_cross_entropy",)
    metrics = ("perplexity", "token_accuracy")
    statistics = ("hits", "certainty")
    ignore_label = "<padding>"  # steps behind the end of a text, whose target is -1

    def units(self, data: DataSet) -> int:
        """One for each token that can be said."""
        return len(data.classes or ())

    def output_shape(self, data: DataSet) -> tuple[int, ...]:
        """(T, V)."""
        return (*data.given_shape, self.units(data))

    def variables(self, data: DataSet) -> dict[str, Any]:
        """The sizes of both vocabularies, for embeddings."""
        source = len(data.vocabularies["x"]["names"])
        return {"source_size": source, "target_size": self.units(data), "outputs": self.units(data)}

    def rows(self, outputs: Array) -> Array:
        """(N, T, V) -> (N·T, V)."""
        return outputs.reshape(-1, outputs.shape[-1])

    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """How often the likeliest token is the right one, and sums over the probabilities."""
        return {"hits": Hits(), "certainty": Certainty(self.units(data), link)}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """Tokens (N·T,)."""
        return batch.target.reshape(-1)

    def predict(
        self, outputs: Array, data: DataSet, link: str = "softmax", cut: Array | None = None
    ) -> list[dict[str, Any]]:
        """The likeliest token at every step, up to the first end: what is said where the right tokens are given."""
        vocabulary: Any = data.vocabulary("y")
        return [{"text": vocabulary.decode(until_end(row, vocabulary.end))} for row in outputs.argmax(-1).tolist()]

    def combine(self, outputs: Sequence[Array], link: str = "softmax") -> Array:
        """Outputs whose probabilities are the mean of the members' probabilities."""
        return np.asarray(mean_outputs(outputs, link))


def until_end(tokens: Sequence[int], end: int) -> list[int]:
    """The tokens before the first that says the end.

    Example:
        >>> until_end([5, 3, 7], 3), until_end([5], 3)
        ([5], [5])
    """
    kept = list(tokens)
    return kept[: kept.index(end)] if end in kept else kept
