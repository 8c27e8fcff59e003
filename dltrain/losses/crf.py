"""The loss of a conditional random field: minus the log-probability of a whole sequence of tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import DataError
from dltrain.kernels.arrays import PADDED, Array
from dltrain.losses.targets import Link
from dltrain.registry import register

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


@register("loss", "crf")
class ConditionalRandomFieldLoss:
    """Mean over the words of log Z(x) - score(y | x): minus the log-probability of the right sequence of tags.

    log Z = log Σ_y exp score(y | x), over all sequences, by the forward algorithm: α_t = z_t + logsumexp(α_{t-1} + A).
    Its gradient are expected counts minus those of the right tags, by forward and backward.  It reads what the layer
    `crf` gives.

    Example:
        >>> import numpy as np
        >>> from dltrain.model.mode import Mode
        >>> outputs = np.zeros((1, 3 + 2 + 2, 2))  # 3 words, 2 tags: 8 sequences, all alike
        >>> loss, _ = ConditionalRandomFieldLoss().forward(outputs, np.array([[0, 1, 1]]), Mode())
        >>> round(loss, 6)  # log 8 / 3
        0.693147

    Source: Lafferty, McCallum, Pereira: Conditional random fields, 2001.
    """

    complex_safe = True
    link: Link = "softmax"
    of_sequences = True  # it takes outputs and targets as they are, not a row for each decision

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(T, K) -> (T + K + 2, K): what a model gives."""
        return shape[0] + shape[1] + 2, shape[1]

    def forward(self, outputs: Array, targets: Array, mode: Mode, weights: Array | None = None) -> tuple[Any, Array]:
        """The loss, and its gradient in the outputs.

        Parameters:
            outputs: (N, T + K + 2, K) as the layer `crf` gives them
            targets: (N, T) tags, -1 behind the end of a sentence
            mode: gives memory
            weights: (N,) of the sentences; None: all alike

        Raises:
            DataError: when the shapes do not fit.
        """
        wanted = (len(outputs), outputs.shape[1] - outputs.shape[-1] - 2)
        if outputs.ndim != 3 or targets.shape != wanted:
            raise DataError("targets do not fit the outputs", expected=f"tags {wanted}", got=str(targets.shape))
        z, A, first, last = parts(outputs)
        valid = targets >= 0
        share: Array = valid.any(1) * (np.ones(len(z)) if weights is None else weights)
        words = float((share * valid.sum(1)).sum()) or 1.0
        alpha, log_z = forwards(z, A, first, last, valid)
        beta = backwards(z, A, last, valid)
        gradient = mode.empty(outputs.shape, outputs.dtype)
        expected(gradient, alpha, beta, log_z, (z, A, first, last), valid)
        score = observed(gradient, outputs, targets, valid)
        gradient *= (share / words)[:, None, None]
        return ((log_z - score) * share).sum().item() / words, gradient

    def decode(self, outputs: Array) -> Array:
        """The likeliest sequence (Viterbi), as scores (N, T, K): 1 for its tags, 0 for others.

        Example:
            >>> outputs = np.zeros((1, 2 + 2 + 2, 2))
            >>> outputs[0, 0], outputs[0, 2] = [3, 0], [0, 5]  # the first tag is 0; 1 is likely behind 0
            >>> ConditionalRandomFieldLoss().decode(outputs)[0].argmax(1).tolist()
            [0, 1]
        """
        z, A, first, last = (part.real.astype(np.float64) for part in parts(outputs))
        N, T, K = z.shape
        valid = ~(z == PADDED).all(2)
        best, back = first + z[:, 0], np.zeros((N, T, K), np.int64)
        for t in range(1, T):
            paths = best[:, :, None] + A  # (N, K, K)
            back[:, t] = np.where(valid[:, t, None], paths.argmax(1), np.arange(K))
            best = np.where(valid[:, t, None], paths.max(1) + z[:, t], best)
        tag, rows = (best + last).argmax(1), np.arange(N)
        out = np.zeros((N, T, K), outputs.real.dtype)
        for t in range(T - 1, -1, -1):
            out[rows, t, tag] = 1
            tag = back[rows, t, tag]
        return out


def parts(outputs: Array) -> tuple[Array, Array, Array, Array]:
    """(z (N, T, K), A (N, K, K), s (N, K), e (N, K)) of what the layer gives, in double precision."""
    K = outputs.shape[2]
    wide = outputs.astype(np.result_type(outputs.dtype, np.float64))
    steps = outputs.shape[1] - K - 2
    return wide[:, :steps], wide[:, steps : steps + K], wide[:, -2], wide[:, -1]


def log_sum(x: Array, axis: int) -> Array:
    """log Σ exp along an axis."""
    most = x.real.max(axis, keepdims=True)
    found: Array = np.squeeze(most, axis) + np.log(np.exp(x - most).sum(axis))
    return found


def forwards(z: Array, A: Array, first: Array, last: Array, valid: Array) -> tuple[Array, Array]:
    """(α (N, T, K), log Z (N,)): log-sums over all sequences up to a step that end in a tag; padding keeps the last."""
    alpha = np.empty_like(z)
    alpha[:, 0] = first + z[:, 0]
    for t in range(1, z.shape[1]):
        going = log_sum(alpha[:, t - 1, :, None] + A, 1) + z[:, t]
        alpha[:, t] = np.where(valid[:, t, None], going, alpha[:, t - 1])
    return alpha, log_sum(alpha[:, -1] + last, 1)


def backwards(z: Array, A: Array, last: Array, valid: Array) -> Array:
    """β (N, T, K): log-sums over all sequences behind a step that stands in a tag."""
    beta = np.empty_like(z)
    beta[:, -1] = last
    for t in range(z.shape[1] - 1, 0, -1):
        going = log_sum(A + (z[:, t] + beta[:, t])[:, None], 2)
        beta[:, t - 1] = np.where(valid[:, t, None], going, beta[:, t])
    return beta


def expected(gradient: Array, alpha: Array, beta: Array, log_z: Array, scores: tuple[Array, ...], valid: Array) -> None:
    """Write the expected counts of tags, and of tags behind each other."""
    z, A, _, _ = scores
    steps, K = z.shape[1:]
    share = np.exp(alpha + beta - log_z[:, None, None])  # (N, T, K) probability of a tag at a step
    gradient[:, :steps] = share * valid[:, :, None]
    pairs = np.zeros_like(A)
    for t in range(1, steps):
        both = alpha[:, t - 1, :, None] + A + (z[:, t] + beta[:, t])[:, None] - log_z[:, None, None]
        pairs += np.where(valid[:, t, None, None], np.exp(np.where(valid[:, t, None, None], both, 0)), 0)
    gradient[:, steps : steps + K] = pairs
    gradient[:, -2], gradient[:, -1] = share[:, 0], share[:, -1]


def observed(gradient: Array, outputs: Array, targets: Array, valid: Array) -> Array:
    """Take the counts of the right tags from the expected ones; returns the score (N,) of the right sequences."""
    N, steps = targets.shape
    rows, there = np.arange(N)[:, None], valid.astype(gradient.real.dtype)
    tags = np.maximum(targets, 0)
    final = tags[np.arange(N), np.maximum(valid.sum(1) - 1, 0)]
    score = np.zeros(N, np.result_type(outputs.dtype, np.float64))
    places = [
        (rows, np.arange(steps)[None], tags, there),
        (rows, steps + tags[:, :-1], tags[:, 1:], there[:, 1:]),
        (rows, np.full((N, 1), outputs.shape[1] - 2), tags[:, :1], np.ones((N, 1), there.dtype)),
        (rows, np.full((N, 1), outputs.shape[1] - 1), final[:, None], np.ones((N, 1), there.dtype)),
    ]
    for row, step, tag, weight in places:
        score += (outputs[row, step, tag] * weight).sum(1)
        np.subtract.at(gradient, (np.broadcast_to(row, tag.shape), np.broadcast_to(step, tag.shape), tag), weight)
    return score
