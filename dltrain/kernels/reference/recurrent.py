"""Recurrent cells over all steps of a sequence, and the way back through time.

A layer makes the share of the inputs of all steps beforehand, in one product z = x W + b; what is left of a step
is u_t = h_{t-1} U and the cell, a function of z_t, u_t and the state.  After the way back the gradients of W and U
are one product each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dltrain.kernels.arrays import Array, Derived, Empty, give
from dltrain.kernels.reference.activations import ACTIVATIONS


class Step(NamedTuple):
    """What a cell makes of a step: the gates side by side, the new state, and what the way back wants noted."""

    gates: Array
    h: Array
    c: Array
    noted: Array | None = None


class Slopes(NamedTuple):
    """Gradients of a step: of z_t, u_t, the state before but for its way through u_t, and of p."""

    dz: Array
    du: Array
    dh: Array
    dc: Array
    dp: Array


class Cell(NamedTuple):
    """A recurrent cell.

    Parameters:
        gates: width of z, in units
        rows: of its further parameters p
        notes: whether the way back needs more than gates and states
        forward: (z, u, p, h, c) -> Step
        backward: (gates, noted, p, h, c, dh, dc) -> Slopes
    """

    gates: int
    rows: int
    notes: bool
    forward: Callable[..., Step]
    backward: Callable[..., Slopes]


def _sigmoid(z: Array) -> Array:
    """1/(1 + exp(-z)), for complex numbers too."""
    return np.asarray(ACTIVATIONS["sigmoid"][0](z, 0.0))


def _plain(name: str) -> Cell:
    """h' = f(z + u)."""
    f, slope = ACTIVATIONS[name]

    def forward(z: Array, u: Array, p: Array, h: Array, c: Array) -> Step:
        y = np.asarray(f(z + u, 0.0))
        return Step(y, y, c)

    def backward(y: Array, noted: Array, p: Array, h: Array, c: Array, dh: Array, dc: Array) -> Slopes:
        dz = np.asarray(slope(y, y, dh, 0.0))
        return Slopes(dz, dz, np.zeros_like(dh), dc, p)

    return Cell(1, 0, False, forward, backward)


def _simple_gru(z: Array, u: Array, p: Array, h: Array, c: Array) -> Step:
    """h' = (1 - q) n + q h, q = σ(z_q + u_q), n = tanh(z_n + u_n)."""
    zq, zn = np.split(z + u, 2, axis=1)
    q, n = _sigmoid(zq), np.tanh(zn)
    return Step(np.concatenate([q, n], axis=1), (1 - q) * n + q * h, c)


def _simple_gru_backward(gates: Array, noted: Array, p: Array, h: Array, c: Array, dh: Array, dc: Array) -> Slopes:
    """The gradients of `_simple_gru`."""
    q, n = np.split(gates, 2, axis=1)
    dz = np.concatenate([dh * (h - n) * q * (1 - q), dh * (1 - q) * (1 - n * n)], axis=1)
    return Slopes(dz, dz, dh * q, dc, p)


def _gru(z: Array, u: Array, p: Array, h: Array, c: Array) -> Step:
    """h' = (1 - q) n + q h, r = σ(z_r + u_r), q = σ(z_q + u_q), m = u_n + p, n = tanh(z_n + r m)."""
    (zr, zq, zn), (ur, uq, un) = np.split(z, 3, axis=1), np.split(u, 3, axis=1)
    r, q, m = _sigmoid(zr + ur), _sigmoid(zq + uq), un + p[0]
    n = np.tanh(zn + r * m)
    return Step(np.concatenate([r, q, n], axis=1), (1 - q) * n + q * h, c, m)


def _gru_backward(gates: Array, noted: Array, p: Array, h: Array, c: Array, dh: Array, dc: Array) -> Slopes:
    """The gradients of `_gru`."""
    r, q, n = np.split(gates, 3, axis=1)
    dn, dq = dh * (1 - q) * (1 - n * n), dh * (h - n) * q * (1 - q)
    dr, dm = dn * noted * r * (1 - r), dn * r
    return Slopes(
        np.concatenate([dr, dq, dn], axis=1), np.concatenate([dr, dq, dm], axis=1), dh * q, dc, dm.sum(0, keepdims=True)
    )


def _lstm(z: Array, u: Array, p: Array, h: Array, c: Array) -> Step:
    """c' = f c + i g, h' = o tanh(c'); i and f see c, o sees c', through p."""
    zi, zf, zg, zo = np.split(z + u, 4, axis=1)
    i, f, g = _sigmoid(zi + p[0] * c), _sigmoid(zf + p[1] * c), np.tanh(zg)
    new = f * c + i * g
    o = _sigmoid(zo + p[2] * new)
    return Step(np.concatenate([i, f, g, o], axis=1), o * np.tanh(new), new, new)


def _lstm_backward(gates: Array, noted: Array, p: Array, h: Array, c: Array, dh: Array, dc: Array) -> Slopes:
    """The gradients of `_lstm`."""
    i, f, g, o = np.split(gates, 4, axis=1)
    level = np.tanh(noted)
    do = dh * level * o * (1 - o)
    dnew = dc + dh * o * (1 - level * level) + do * p[2]
    di, df, dg = dnew * g * i * (1 - i), dnew * c * f * (1 - f), dnew * i * (1 - g * g)
    dz = np.concatenate([di, df, dg, do], axis=1)
    dp = np.stack([(di * c).sum(0), (df * c).sum(0), (do * noted).sum(0)])
    return Slopes(dz, dz, np.zeros_like(dh), dnew * f + di * p[0] + df * p[1], dp)


CELLS: dict[str, Cell] = {
    "tanh": _plain("tanh"),
    "relu": _plain("relu"),
    "simple_gru": Cell(2, 0, False, _simple_gru, _simple_gru_backward),
    "gru": Cell(3, 1, True, _gru, _gru_backward),
    "lstm": Cell(4, 3, True, _lstm, _lstm_backward),
}


def _order(steps: int, reverse: bool) -> range:
    """The steps of a sequence in the order in which a cell meets them."""
    return range(steps - 1, -1, -1) if reverse else range(steps)


@np.errstate(invalid="ignore", over="ignore", under="ignore")
def recurrence(
    cell: str,
    z: Array,
    U: Array,
    p: Array,
    mask: Array | None,
    keep: Array | None,
    first: Array,
    reverse: bool,
    out: Array,
    before: Array,
    noted: Array,
    last: Array,
    empty: Empty,
) -> Array:
    """Run a cell over all steps; where the mask is 0, the state stays as it is.

    Parameters:
        cell: one of CELLS
        z: (N, T, G·H) the inputs' share of the gates; the gates themselves are left in it
        U: (H, G·H)
        p: (rows, H) further parameters of the cell
        mask: (N, T), 1 where there is a step and 0 where there is padding; or None
        keep: (N, H) factors of the state on its way through U, the same in all steps; or None
        first: (2, N, H) the state h and c before the sequence
        reverse: from the last step to the first
        out: (N, T, H) the state h after each step
        before: (N, T, H) receives what met U; (N, 0, H) where there is no way back
        noted: (N, T, H) receives what the cell notes; (N, 0, H) where it notes nothing, or there is no way back
        last: (2, N, H) receives the state after the sequence
        empty: scratch memory
    """
    h, c = first[0], first[1]
    for t in _order(z.shape[1], reverse):
        seen = h if keep is None else h * keep
        step = CELLS[cell].forward(z[:, t], seen @ U, p, h, c)
        there = np.ones((len(z), 1), bool) if mask is None else mask[:, t, None].real > 0.5
        h, c = np.where(there, step.h, h), np.where(there, step.c, c)
        z[:, t] = step.gates
        out[:, t] = h
        if before.shape[1]:
            before[:, t] = seen
        if noted.shape[1]:
            noted[:, t] = step.noted if cell == "gru" else c
    last[0], last[1] = h, c
    return out


@np.errstate(invalid="ignore", over="ignore", under="ignore")
def recurrence_inference(
    cell: str,
    z: Array,
    U: Any,
    p: Array,
    mask: Array | None,
    first: Array,
    reverse: bool,
    out: Array,
    last: Array,
    empty: Empty,
    derived: Derived,
) -> Array:
    """The same as `recurrence` without a way back, for weights that stay as they are over many calls.

    Parameters:
        cell: as in `recurrence`
        z: as in `recurrence`
        U: the weights' Parameter; its value is (H, G·H)
        p: as in `recurrence`
        mask: as in `recurrence`
        first: as in `recurrence`
        reverse: as in `recurrence`
        out: as in `recurrence`
        last: as in `recurrence`
        empty: scratch memory
        derived: keeps another form of the weights until they change
    """
    nothing = empty((len(z), 0, U.value.shape[0]), z.dtype)
    return recurrence(cell, z, U.value, p, mask, None, first, reverse, out, nothing, nothing, last, empty)


def recurrence_backward(
    cell: str,
    gates: Array,
    U: Array,
    p: Array,
    mask: Array | None,
    keep: Array | None,
    first: Array,
    reverse: bool,
    out: Array,
    noted: Array,
    dy: Array,
    du: Array,
    dp: Array,
    add: bool,
    empty: Empty,
) -> Array:
    """The way back through time; the state before the sequence gets no gradient.

    Parameters:
        cell: as in `recurrence`
        gates: (N, T, G·H) as `recurrence` left them; receives the gradient of z
        U: as in `recurrence`
        p: as in `recurrence`
        mask: as in `recurrence`
        keep: as in `recurrence`
        first: as in `recurrence`
        reverse: as in `recurrence`
        out: as `recurrence` left it
        noted: as `recurrence` left it
        dy: (N, T, H) gradient of out, or (N, 1, H) that of the state after the sequence
        du: (N, T, G·H) receives the gradient of what came through U; may be `gates` where a cell adds z and u
        dp: (rows, H) receives the gradient of p
        add: add to dp, instead of storing into it
        empty: scratch memory
    """
    steps = list(_order(gates.shape[1], reverse))
    dh, dc, total = np.zeros_like(out[:, 0]), np.zeros_like(out[:, 0]), np.zeros_like(p)
    if dy.shape[1] != len(steps):
        dh = dh + dy[:, 0]
    for position in range(len(steps) - 1, -1, -1):
        t = steps[position]
        if dy.shape[1] == len(steps):
            dh = dh + dy[:, t]
        h = out[:, steps[position - 1]] if position else first[0]
        note = noted[:, t] if noted.shape[1] else h
        c = noted[:, steps[position - 1]] if position and noted.shape[1] else first[1]
        there = np.ones((len(out), 1), bool) if mask is None else mask[:, t, None].real > 0.5
        live_h, live_c = np.where(there, dh, 0), np.where(there, dc, 0)
        slopes = CELLS[cell].backward(gates[:, t], note, p, h, c, live_h, live_c)
        through = slopes.du @ U.T
        dh = np.where(there, slopes.dh + (through if keep is None else through * keep), dh)
        dc = np.where(there, slopes.dc, dc)
        gates[:, t] = slopes.dz
        du[:, t] = slopes.du
        total = total + slopes.dp if len(p) else total
    give(dp, total, add)
    return gates


def scatter_rows(index: Array, dy: Array, out: Array, add: bool) -> Array:
    """out[index[i]] += dy[i] for all i: the gradient of taking rows of a table.

    Parameters:
        index: (n,) whole numbers; those below 0 are left out
        dy: (n, D)
        out: (V, D)
        add: add to out, instead of starting from zeros
    """
    if not add:
        out[...] = 0
    known = index >= 0
    np.add.at(out, index[known], dy[known])
    return out
