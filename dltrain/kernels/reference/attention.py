"""Attention: for each step of one sequence, a mean over the steps of another, weighted by how well they fit.

Heads lie side by side: head h of q (N, T, A) has columns h·A/heads to (h + 1)·A/heads, and likewise of k and v.  The
weights of all steps for all steps are never kept: the way back makes them again from two numbers for each row.
"""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array, Empty, give


def _scores(q: Array, k: Array, w: Array | None, scale: float) -> Array:
    """How well each step of q (N, T, A) and of k (N, S, A) fit, (N, T, S): their product, or w·tanh(q + k)."""
    if w is None:
        return np.asarray(scale * (q @ k.swapaxes(1, 2)))
    return np.asarray(np.tanh(q[:, :, None] + k[:, None]) @ w * scale)


def _seen(mask: Array | None, causal: bool, steps: int, shape: tuple[int, int]) -> Array:
    """(N or 1, T, S) which steps may be seen: those of the mask; causal: none after the own, the last sees all."""
    N, S = shape
    seen = np.ones((1, steps, S), bool) if mask is None else np.repeat(mask.real[:, None] > 0.5, steps, 1)
    return seen & np.tri(steps, S, S - steps, dtype=bool) if causal else seen


def _heads(heads: int, *arrays: Array) -> list[tuple[Array, ...]]:
    """The columns of each head."""
    return list(zip(*(np.split(array, heads, axis=-1) for array in arrays), strict=True))


@np.errstate(invalid="ignore", over="ignore", under="ignore")
def attention(
    q: Array,
    k: Array,
    v: Array,
    w: Array | None,
    mask: Array | None,
    heads: int,
    causal: bool,
    scale: float,
    out: Array,
    rows: Array,
    empty: Empty,
) -> Array:
    """out = softmax(scores) v for each head; scores = scale q kᵀ, or scale w·tanh(q + k); zeros where nothing is seen.

    Parameters:
        q: (N, T, A) what is asked
        k: (N, S, A) what it is compared with
        v: (N, S, B) what the mean is taken of
        w: (A,) of additive scores; None for products
        mask: (N, S), 1 where a step may be seen and 0 where there is padding; or None
        heads: how many lie side by side; it divides A and B
        causal: a step sees none after it; where T < S, the last steps of q and k go together
        scale: factor of the scores
        out: (N, T, B)
        rows: (2, N, heads, T) receives of each row of scores the largest, and 1 over the sum of the exponentials
        empty: scratch memory
    """
    seen = _seen(mask, causal, q.shape[1], k.shape[:2])
    parts = _heads(heads, q, k, v, out)
    for h, (qh, kh, vh, oh) in enumerate(parts):
        scores = _scores(qh, kh, w if w is None else np.split(w, heads)[h], scale)
        top = np.where(seen, scores.real, -np.inf).max(2, initial=-np.inf)
        top = np.where(np.isfinite(top), top, 0)
        powers = np.where(seen, np.exp(scores - top[:, :, None]), 0)
        total = powers.sum(2)
        rows[0, :, h] = top
        rows[1, :, h] = np.where(total == 0, 0, 1 / np.where(total == 0, 1, total))
        oh[...] = (powers * rows[1, :, h, :, None]) @ vh
    return out


@np.errstate(invalid="ignore", over="ignore", under="ignore")
def attention_weights(
    q: Array,
    k: Array,
    w: Array | None,
    mask: Array | None,
    heads: int,
    causal: bool,
    scale: float,
    rows: Array,
    out: Array,
) -> Array:
    """out = softmax(scores), the weights by which `attention` takes means.

    Parameters:
        q: as in `attention`
        k: as in `attention`
        w: as in `attention`
        mask: as in `attention`
        heads: as in `attention`
        causal: as in `attention`
        scale: as in `attention`
        rows: as `attention` left it
        out: (N, heads, T, S)
    """
    seen = _seen(mask, causal, q.shape[1], k.shape[:2])
    for h, (qh, kh) in enumerate(_heads(heads, q, k)):
        scores = _scores(qh, kh, w if w is None else np.split(w, heads)[h], scale)
        top, inverse = rows[0, :, h, :, None], rows[1, :, h, :, None]
        out[:, h] = np.where(seen, np.exp(np.where(seen, scores - top, 0)) * inverse, 0)
    return out


@np.errstate(invalid="ignore", over="ignore", under="ignore")
def attention_backward(
    q: Array,
    k: Array,
    v: Array,
    w: Array | None,
    mask: Array | None,
    heads: int,
    causal: bool,
    scale: float,
    out: Array,
    rows: Array,
    dy: Array,
    dq: Array,
    dk: Array,
    dv: Array,
    dw: Array | None,
    add: bool,
    empty: Empty,
) -> Array:
    """The gradients of `attention`: with P = softmax(scores), dv = Pᵀ dy and dscores = P (dy vᵀ - Σ dy out).

    Parameters:
        q: as in `attention`
        k: as in `attention`
        v: as in `attention`
        w: as in `attention`
        mask: as in `attention`
        heads: as in `attention`
        causal: as in `attention`
        scale: as in `attention`
        out: as `attention` left it
        rows: as `attention` left it
        dy: (N, T, B) gradient of out
        dq: (N, T, A) receives that of q
        dk: (N, S, A) receives that of k
        dv: (N, S, B) receives that of v
        dw: (A,) receives that of w; None where there is none
        add: add to dw, instead of storing into it
        empty: scratch memory
    """
    weights = np.empty((len(q), heads, q.shape[1], k.shape[1]), q.dtype)
    attention_weights(q, k, w, mask, heads, causal, scale, rows, weights)
    of_w = []
    for h, (qh, kh, vh, oh, dyh, dqh, dkh, dvh) in enumerate(_heads(heads, q, k, v, out, dy, dq, dk, dv)):
        P = weights[:, h]
        dvh[...] = P.swapaxes(1, 2) @ dyh
        slopes = scale * P * (dyh @ vh.swapaxes(1, 2) - (dyh * oh).sum(2, keepdims=True))  # (N, T, S)
        if w is None:
            dqh[...], dkh[...] = slopes @ kh, slopes.swapaxes(1, 2) @ qh
            continue
        level = np.tanh(qh[:, :, None] + kh[:, None])  # (N, T, S, A)
        of_w.append(np.einsum("nts,ntsa->a", slopes, level))
        inner = slopes[..., None] * np.split(w, heads)[h] * (1 - level * level)
        dqh[...], dkh[...] = inner.sum(2), inner.sum(1)
    if dw is not None:
        give(dw, np.concatenate(of_w), add)
    return dq
