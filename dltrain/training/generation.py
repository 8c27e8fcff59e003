"""Texts that a language model writes: a token at a time, each drawn from what the model expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dltrain.data.vocabulary import Vocabulary
from dltrain.errors import UsageError
from dltrain.kernels.arrays import Array
from dltrain.model.mode import Mode
from dltrain.seeds import generator
from dltrain.training.session import build_graph

if TYPE_CHECKING:
    from dltrain.training.trained import Run

UNKNOWN = 0  # the token that is never written
MOST_SHOWN = 80  # tokens that an error names
STARTS = "\n "  # what a text begins with where no prompt is given: the end of a line, else of a word


class Writer:
    """A language model that reads and writes one token at a time, and keeps the state of its recurrent layers.

    Parameters:
        run: a trained run of the task `language_model`

    Raises:
        UsageError: when the run is of another task, or its model cannot go on from a state.
    """

    def __init__(self, run: Run) -> None:
        session = run.session
        if run.kind != "language_model":
            expected = "a run of the task language_model"
            raise UsageError("the run writes no texts", where=run.folder.name, expected=expected, got=run.kind)
        experiment, data = session.experiment, session.data
        self.name, self.wire = run.folder.name, session.task.wire
        self.vocabulary = data.vocabulary("y") or Vocabulary("characters", data.classes or ())
        self.tokens = self.vocabulary.names
        self.input = next(iter(run.graph.inputs))
        short = build_graph(experiment, data, experiment.seed, experiment.dtype, {self.input: (1,)})
        for node, other in zip(run.graph.plan_nodes, short.plan_nodes, strict=True):
            sizes = [[p.shape for p in one.layer.parameters] for one in (node, other)]
            if sizes[0] != sizes[1] and not node.layer.knows_places:
                raise self._unfit()
        self.graph = run.graph.part(run.graph.nodes, {self.input: (1,)})
        self.mode = Mode(False, kernels=session.kernels, backward=False)
        self.mode.stepwise, self.steps = True, data.shape[0]
        self.seen: list[int] = []
        self._check(run)
        self.begin()

    def _unfit(self) -> UsageError:
        what = "the model does not go through a text step by step"
        expected = "recurrent layers that go forwards, causal attention, and layers that treat each step alike"
        return UsageError(what, where=self.name, expected=expected)

    def _check(self, run: Run) -> None:
        """Read a few tokens one by one and at once: unless that is the same, a text would be wrong unnoticed.

        Raises:
            UsageError: when it is not.
        """
        steps = run.graph.inputs[self.input][0]
        text = generator(0, "generate check").integers(0, len(self.tokens), (1, steps))
        at_once = run.graph.forward({self.input: text}, mode=Mode(False, backward=False))[0]
        self.begin()
        one_by_one = np.stack([self.read(int(token)) for token in text[0]])
        expected = at_once[self.wire][0]
        if not np.allclose(one_by_one, expected, rtol=1e-3, atol=1e-3 * max(1.0, float(np.abs(expected).max()))):
            raise self._unfit()

    def begin(self) -> None:
        """Forget what was read."""
        self.mode.states, self.seen = {}, []

    def read(self, token: int) -> Array:
        """Take in a token; returns the logits (V,) of the next one.

        A model that knows places, or looks back at all that was, has learned no more steps than a text of its data has:
        then it goes on from the last half of them.
        """
        if self.mode.limited and len(self.seen) == self.steps:
            kept = self.seen[-(self.steps // 2) :]
            self.begin()
            for earlier in kept:
                self.read(earlier)
        self.seen.append(token)
        self.mode.begin(0, 1)
        x = np.full((1, 1), token)
        logits: Array = self.graph.forward({self.input: x}, mode=self.mode)[0][self.wire][0, 0]
        return logits

    def tokens_of(self, text: str) -> list[int]:
        """The tokens of a text.

        Raises:
            UsageError: when the vocabulary lacks one of its characters or words.
        """
        units = self.vocabulary.recipe.split(text)
        found = self.vocabulary.tokens(units)
        missing = dict.fromkeys(unit for unit, token in zip(units, found, strict=True) if token == UNKNOWN)
        if missing:
            shown = self.tokens[1 : MOST_SHOWN + 1]
            expected = f"some of the training text, such as {' '.join(map(repr, shown))}"
            got = ", ".join(map(repr, missing))
            raise UsageError("the prompt has what the model does not know", expected=expected, got=got)
        return found

    def write(
        self,
        prompt: str,
        length: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int = 0,
        until: str | None = None,
    ) -> str:
        """Text that goes on with a prompt.

        p(next) = softmax(logits / temperature) over the `top_k` likeliest; at temperature 0 the likeliest one

        Parameters:
            prompt: what the model reads first; empty: the end of a line, or a blank where texts have no lines
            length: how many tokens to write
            temperature: below 1 the likely become likelier, above 1 the unlikely
            top_k: draw among so many; None: among all
            seed: the same one gives the same text
            until: end before this token

        Raises:
            UsageError: when the prompt has a character or word that the model does not know.
        """
        self.begin()
        draw = generator(seed, "generate")
        start = next((c for c in STARTS if c in self.tokens), self.tokens[-1])
        given = self.tokens_of(prompt)
        for token in given or [self.vocabulary.numbers[start]]:
            logits = self.read(token)
        written = list(given)
        for _ in range(length):
            token = chosen(logits, temperature, top_k, draw)
            if self.tokens[token] == until:
                break
            written.append(token)
            logits = self.read(token)
        told = self.vocabulary.decode
        return told(written)[len(told(given)) :]


def chosen(logits: Array, temperature: float, top_k: int | None, draw: np.random.Generator) -> int:
    """A token drawn from its probabilities; never the unknown one.

    Parameters:
        logits: (V,)
        temperature: what they are divided by; 0 takes the likeliest
        top_k: how many of the likeliest may be drawn
        draw: where the draw comes from

    Example:
        >>> import numpy as np
        >>> chosen(np.array([9.0, 1.0, 3.0, 2.0]), 0.0, None, np.random.default_rng(0))
        2
        >>> {chosen(np.array([9.0, 1.0, 3.0, 2.0]), 5.0, 2, np.random.default_rng(i)) for i in range(50)}
        {2, 3}
    """
    z = logits.astype(np.float64)
    z[UNKNOWN] = -np.inf
    if temperature == 0:
        return int(z.argmax())
    likely = np.argsort(-z, kind="stable")[: min(top_k or len(z), len(z) - 1)]
    shares = np.exp((z[likely] - z[likely[0]]) / temperature)
    return int(draw.choice(likely, p=shares / shares.sum()))
