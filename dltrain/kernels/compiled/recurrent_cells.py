# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The recurrent cells, one example and step at a time: all its units are side by side in vectors."""

from __future__ import annotations

from numba import njit

from dltrain.kernels.compiled.jit import INNER, PLAIN
from dltrain.kernels.compiled.pointwise import F, sigmoid, tanh

CODES = {"tanh": 0, "relu": 1, "simple_gru": 2, "gru": 3, "lstm": 4}
TANH, RELU, SIMPLE_GRU, GRU, LSTM = range(5)


@njit(**INNER, **PLAIN)
def plain_row(relu, z, u, h):
    """See `reference`: f(z + u); the gate is left in z."""
    if relu:
        for j in range(h.size):
            v = z[j] + u[j]
            z[j] = F(0) if v < F(0) else v
            h[j] = z[j]
    else:
        for j in range(h.size):
            z[j] = tanh(z[j] + u[j])
            h[j] = z[j]


@njit(**INNER, **PLAIN)
def plain_row_back(relu, gates, dh):
    """dz is left in the gates; nothing of dh passes but through U."""
    if relu:
        for j in range(dh.size):
            gates[j] = F(0) if gates[j] <= F(0) else dh[j]
            dh[j] = F(0)
    else:
        for j in range(dh.size):
            gates[j] = dh[j] * (F(1) - gates[j] * gates[j])
            dh[j] = F(0)


@njit(**INNER, **PLAIN)
def simple_gru_row(z, u, h):
    """See the reference."""
    H = h.size
    zq, zn, uq, un = z[:H], z[H:], u[:H], u[H:]
    for j in range(H):
        q, n = sigmoid(zq[j] + uq[j]), tanh(zn[j] + un[j])
        h[j] = (F(1) - q) * n + q * h[j]
        zq[j], zn[j] = q, n


@njit(**INNER, **PLAIN)
def simple_gru_row_back(gates, h, dh):
    """See the reference; dz is left in the gates."""
    H = h.size
    gq, gn = gates[:H], gates[H:]
    for j in range(H):
        q, n, d = gq[j], gn[j], dh[j]
        gq[j] = d * (h[j] - n) * q * (F(1) - q)
        gn[j] = d * (F(1) - q) * (F(1) - n * n)
        dh[j] = d * q


@njit(**INNER, **PLAIN)
def gru_row(z, u, p, h, noted):
    """See the reference."""
    H = h.size
    zr, zq, zn, ur, uq, un, b = z[:H], z[H : 2 * H], z[2 * H :], u[:H], u[H : 2 * H], u[2 * H :], p[0]
    for j in range(H):
        r, q, m = sigmoid(zr[j] + ur[j]), sigmoid(zq[j] + uq[j]), un[j] + b[j]
        n = tanh(zn[j] + r * m)
        h[j] = (F(1) - q) * n + q * h[j]
        zr[j], zq[j], zn[j], noted[j] = r, q, n, m


@njit(**INNER, **PLAIN)
def gru_row_back(gates, noted, h, dh, du, dp):
    """See the reference; dz is left in the gates, du beside it, and dp grows."""
    H = h.size
    gr, gq, gn, ur, uq, un, b = gates[:H], gates[H : 2 * H], gates[2 * H :], du[:H], du[H : 2 * H], du[2 * H :], dp[0]
    for j in range(H):
        r, q, n, d = gr[j], gq[j], gn[j], dh[j]
        dn = d * (F(1) - q) * (F(1) - n * n)
        dq = d * (h[j] - n) * q * (F(1) - q)
        dr = dn * noted[j] * r * (F(1) - r)
        gr[j], gq[j], gn[j] = dr, dq, dn
        ur[j], uq[j], un[j] = dr, dq, dn * r
        b[j] += dn * r
        dh[j] = d * q


@njit(**INNER, **PLAIN)
def lstm_row(z, u, p, h, c):
    """See the reference."""
    H = h.size
    zi, zf, zg, zo = z[:H], z[H : 2 * H], z[2 * H : 3 * H], z[3 * H :]
    ui, uf, ug, uo = u[:H], u[H : 2 * H], u[2 * H : 3 * H], u[3 * H :]
    pi, pf, po = p[0], p[1], p[2]
    for j in range(H):
        i, f = sigmoid(zi[j] + ui[j] + pi[j] * c[j]), sigmoid(zf[j] + uf[j] + pf[j] * c[j])
        g = tanh(zg[j] + ug[j])
        new = f * c[j] + i * g
        o = sigmoid(zo[j] + uo[j] + po[j] * new)
        zi[j], zf[j], zg[j], zo[j] = i, f, g, o
        c[j], h[j] = new, o * tanh(new)


@njit(**INNER, **PLAIN)
def lstm_row_back(gates, level, p, c, dh, dc, dp):
    """See the reference; `level` is c after the step, c before it; dz is left in the gates, and dp grows."""
    H = dh.size
    gi, gf, gg, go = gates[:H], gates[H : 2 * H], gates[2 * H : 3 * H], gates[3 * H :]
    pi, pf, po, di, df, do = p[0], p[1], p[2], dp[0], dp[1], dp[2]
    for j in range(H):
        i, f, g, o, d, a = gi[j], gf[j], gg[j], go[j], dh[j], tanh(level[j])
        to = d * a * o * (F(1) - o)
        up = dc[j] + d * o * (F(1) - a * a) + to * po[j]
        ti, tf = up * g * i * (F(1) - i), up * c[j] * f * (F(1) - f)
        gi[j], gf[j], gg[j], go[j] = ti, tf, up * i * (F(1) - g * g), to
        di[j] += ti * c[j]
        df[j] += tf * c[j]
        do[j] += to * level[j]
        dc[j] = up * f + ti * pi[j] + tf * pf[j]
        dh[j] = F(0)


@njit(**INNER)
def cell_row(cell, z, u, p, h, c, noted):
    """One example's step: the state h (and c) goes on, the gates are left in z."""
    if cell == LSTM:
        lstm_row(z, u, p, h, c)
    elif cell == GRU:
        gru_row(z, u, p, h, noted)
    elif cell == SIMPLE_GRU:
        simple_gru_row(z, u, h)
    else:
        plain_row(cell == RELU, z, u, h)


@njit(**INNER)
def cell_row_back(cell, gates, noted, p, h, c, dh, dc, du, dp):
    """One example's step back: dh and dc go on, but for what comes through U; dz is left in the gates."""
    if cell == LSTM:
        lstm_row_back(gates, noted, p, c, dh, dc, dp)
    elif cell == GRU:
        gru_row_back(gates, noted, h, dh, du, dp)
        return
    elif cell == SIMPLE_GRU:
        simple_gru_row_back(gates, h, dh)
    else:
        plain_row_back(cell == RELU, gates, dh)
    du[:] = gates
