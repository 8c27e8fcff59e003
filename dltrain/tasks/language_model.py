"""Learning what comes next in a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.layers.base import Array
from dltrain.metrics import Certainty, Confusion, mean_outputs, probabilities
from dltrain.registry import register
from dltrain.tasks.base import Task

if TYPE_CHECKING:
    from dltrain.data import Batch, DataSet


@register("task", "language_model")
class LanguageModel(Task):
    """What comes next in a text: at every step the model ends in one logit for each token of the vocabulary.

    p(x_{t+1} | x_0 … x_t) = softmax(logits_t); the loss is the mean cross-entropy of all tokens        (N, T, V)

    `$vocabulary_size` in the model is V; `dltrain generate` writes such texts.  A model must not see what it has to
    say: recurrent layers go forwards, and give sequences.

    Parameters:
        stateful: begin a window with the state in which the one before it ended, so that what was read long ago is
            known, though gradients go back to the start of the window only (truncated back-propagation through time).
            Each place of a batch reads its own part of the text; nothing is shuffled

    Example:
        >>> from types import SimpleNamespace
        >>> data = SimpleNamespace(classes=["<unknown>", "a", "b"], shape=(2,))
        >>> outputs = np.log([[[1.0, 1.0, 1.0], [1.0, 1.0, 2.0]]])
        >>> [prediction] = LanguageModel().predict(outputs, data)
        >>> prediction["label"], round(prediction["probabilities"]["b"], 6)
        ('b', 0.5)

    Source: Mikolov et al.: Recurrent neural network based language model, 2010; of characters: Sutskever, Martens,
    Hinton: Generating text with recurrent neural networks, 2011.
    """

    needs = "tokens"
    losses = ("softmax_cross_entropy",)
    metrics = ("perplexity", "bits_per_character")
    statistics = ("confusion", "certainty")
    ignore_label = "<padding>"  # steps behind the end of a short text, whose target is -1

    def __init__(self, stateful: bool = False) -> None:
        self.stateful = stateful

    def units(self, data: DataSet) -> int:
        """One for each token."""
        return len(data.classes or ())

    def output_shape(self, data: DataSet) -> tuple[int, ...]:
        """(T, V)."""
        return (*data.shape, self.units(data))

    def rows(self, outputs: Array) -> Array:
        """(N, T, V) -> (N·T, V)."""
        return outputs.reshape(-1, outputs.shape[-1])

    def collectors(self, data: DataSet, link: str = "softmax") -> dict[str, Any]:
        """A confusion matrix, and sums over the probabilities."""
        return {"confusion": Confusion(self.units(data)), "certainty": Certainty(self.units(data), link)}

    def targets(self, batch: Batch, outputs: Array) -> Array:
        """Tokens (N·T,)."""
        return batch.target.reshape(-1)

    def predict(
        self, outputs: Array, data: DataSet, link: str = "softmax", cut: Array | None = None
    ) -> list[dict[str, Any]]:
        """The likeliest token after the last step, and the probabilities of all."""
        tokens = data.classes or []
        return [
            {"label": tokens[int(row.argmax())], "probabilities": dict(zip(tokens, map(float, row), strict=True))}
            for row in probabilities(outputs[:, -1], link)
        ]

    def combine(self, outputs: Sequence[Array], link: str = "softmax") -> Array:
        """Outputs whose probabilities are the mean of the members' probabilities."""
        return np.asarray(mean_outputs(outputs, link))
