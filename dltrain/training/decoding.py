"""Saying a text token by token: a model that reads its own words, and the search for those it finds likeliest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dltrain.errors import DataError, UsageError
from dltrain.kernels.arrays import Array
from dltrain.model.graph import Graph
from dltrain.model.mode import Mode
from dltrain.seeds import generator

Step = Callable[[Array, Array], Array]  # (tokens (R,), the row each goes on from (R,)) -> log p of the next ones (R, V)


class Said(NamedTuple):
    """What a search has found.

    Parameters:
        tokens: without the end
        log_probability: of all of them and of the end, by the model
        score: what the search compares: the logarithm by the length to a power
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float


class Reader:
    """A model with two inputs, a text and what is said so far, of which the second is read step by step.

    What does not depend on what is said is computed once.  Recurrent layers go on from the state of the step before;
    causal attention keeps the keys and values of all of them.

    Parameters:
        graph: the model
        wire: its output, logits (T, V)
        kernels: chooser of an implementation

    Raises:
        UsageError: when the model is not the same step by step as at once.
    """

    def __init__(self, graph: Graph, wire: str, kernels: Any) -> None:
        self.text, self.given = graph.inputs
        self.whole, self.wire, self.kernels = graph, wire, kernels
        late = {self.given}
        for node in graph.nodes:
            late |= {node.path} if late.intersection(node.inputs) else set()
        after = [node for node in graph.nodes if node.path in late]
        before = [node for node in graph.nodes if node.path not in late]
        made = {node.path: node.shape for node in before} | {self.text: graph.inputs[self.text]}
        self.crossing = {p: made[p] for p in dict.fromkeys(p for node in after for p in node.inputs) if p in made}
        inner = {path: path for path in self.crossing if path != self.text}
        self.before = graph.part(before, {self.text: graph.inputs[self.text]}, inner)
        self.after = graph.part(after, {**self.crossing, self.given: (1,)}, {wire: graph.paths[wire]})
        self._check()

    def begin(self, x: Array) -> dict[str, Array]:
        """What a text x (N, S) is for the steps to come."""
        mode = Mode(False, kernels=self.kernels, backward=False)
        made = self.before.forward({self.text: x}, mode=mode)[0] if self.before.outputs else {}
        return {path: x if path == self.text else made[path] for path in self.crossing}

    def steps(self, memory: dict[str, Array], beam: int = 1) -> Step:
        """The function that takes in a token of each of N·beam sequences; of one text they stand side by side."""
        mode = Mode(False, kernels=self.kernels, backward=False)
        mode.states, mode.stepwise = {}, True
        fed = {path: np.repeat(value, beam, axis=0) for path, value in memory.items()}

        def step(tokens: Array, origin: Array) -> Array:
            mode.states = {path: state[:, origin] for path, state in (mode.states or {}).items()}
            mode.begin(0, len(tokens))
            logits = self.after.forward({**fed, self.given: tokens[:, None]}, mode=mode)[0][self.wire][:, 0]
            if not np.isfinite(logits).all():
                raise DataError("the model's output is not finite", where=self.wire, hint="take an earlier checkpoint")
            return log_probabilities(logits)

        return step

    def _check(self) -> None:
        """Read a few tokens one by one and at once: unless that is the same, a text would be wrong unnoticed."""
        draw, shapes = generator(0, "decoding check"), self.whole.inputs
        size = min(node.layer.vocabulary_size for node in self.whole.nodes if hasattr(node.layer, "vocabulary_size"))
        x, given = (draw.integers(0, size, (2, *shapes[wire])) for wire in (self.text, self.given))
        mode = Mode(False, kernels=self.kernels, backward=False)
        whole = self.whole.forward({self.text: x, self.given: given}, mode=mode, wires=(self.wire,))[0][self.wire]
        step, rows = self.steps(self.begin(x)), np.arange(2)
        one_by_one = np.stack([step(tokens, rows) for tokens in given.T], 1)
        if not np.allclose(one_by_one, log_probabilities(whole), rtol=1e-3, atol=1e-3):
            expected = "recurrent layers that go forwards, causal attention, and layers that treat each step alike"
            raise UsageError("the model does not say a text step by step", where=self.wire, expected=expected)


def log_probabilities(logits: Array) -> Array:
    """log softmax over the last axis, in float64."""
    z = logits.astype(np.float64)
    z -= z.max(-1, keepdims=True)
    z -= np.log(np.exp(z).sum(-1, keepdims=True))
    return z


def beam_search(
    step: Step, count: int, *, begin: int, end: int, silent: Sequence[int], beam: int, steps: int, length_power: float
) -> list[list[Said]]:
    """The likeliest texts that a beam finds for each of some models' memories, the best first.

    At every step each of the `beam` texts goes on by every token, and the likeliest stay; one that ends leaves the
    beam, which is then one narrower.  Compared in the end is log p / length^power, the end counted.  A beam of 1 is
    greedy.

    Parameters:
        step: takes in a token of each of count·beam sequences
        count: N, of the texts
        begin: the token before the first
        end: the token that ends a text
        silent: tokens that are never said
        beam: how many texts are kept at each step
        steps: most tokens of a text, the end counted; what has not ended then ends there
        length_power: 0 prefers short texts, 1 compares means

    Example:
        >>> logs = np.log(np.array([[0.0001, 0.0999, 0.5, 0.4], [0.0001, 0.8999, 0.05, 0.05]]))
        >>> step = lambda tokens, origin: logs[(tokens != 0).astype(int)]  # first 2 or 3, then the end
        >>> [best, *_] = beam_search(step, 1, begin=0, end=1, silent=[0], beam=2, steps=3, length_power=0.0)[0]
        >>> best.tokens, round(float(np.exp(best.log_probability)), 4)
        ((2,), 0.45)

    Source: length normalization: Wu et al.: Google's neural machine translation system, 2016.
    """
    rows = np.arange(count)[:, None] * beam  # (N, 1)
    scores = np.full((count, beam), -np.inf)
    scores[:, 0] = 0
    tokens, origin = np.full(count * beam, begin), np.arange(count * beam)
    said = np.zeros((count, beam, 0), np.int64)
    done: list[list[Said]] = [[] for _ in range(count)]
    for t in range(1, steps + 1):
        logs = step(tokens, origin)
        logs[:, list(silent)] = -np.inf
        every = (scores[:, :, None] + logs.reshape(count, beam, -1)).reshape(count, -1)  # (N, beam·V)
        best = largest(every, beam)
        scores, size = np.take_along_axis(every, best, 1), logs.shape[1]
        origin, tokens = best // size, best % size  # (N, beam)
        said = np.concatenate([np.take_along_axis(said, origin[:, :, None], 1), tokens[:, :, None]], 2)
        scores[np.arange(beam) >= beam - np.array([[len(found)] for found in done])] = -np.inf
        for n, k in np.argwhere(np.isfinite(scores) & ((tokens == end) | (t == steps))):
            text = tuple(said[n, k].tolist())
            ended = text[-1] == end
            done[n].append(Said(text[:-1] if ended else text, scores[n, k], scores[n, k] / t**length_power))
        scores[tokens == end] = -np.inf
        origin, tokens = (rows + origin).reshape(-1), tokens.reshape(-1)
        if not np.isfinite(scores).any():
            break
    return [sorted(found, key=lambda one: -one.score) for found in done]


def largest(values: Array, count: int) -> Array:
    """Places (N, count) of the largest values of each row, the largest first.

    Example:
        >>> largest(np.array([[1.0, 4.0, 3.0]]), 2).tolist()
        [[1, 2]]
    """
    some = np.argpartition(-values, min(count, values.shape[1]) - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(values, some, 1), axis=1, kind="stable")
    return np.take_along_axis(some, order, 1)
