# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Functions of one number that LLVM turns into vector code, where a library call would stay scalar."""

from __future__ import annotations

import numpy as np
from numba import njit

from dltrain.kernels.compiled.jit import INNER, PLAIN
from dltrain.kernels.compiled.tile import SIGMOID, TANH

F = np.float32


@njit(inline="always")
def tanh(x):
    """x P(x²)/Q(x²) within ±7.9, beyond which tanh is 1 in float32; error below 3e-7.  NaN stays NaN.

    Source: the rational minimax approximation of Eigen's float tanh.
    """
    limit = F(7.90531110763549805)
    x = limit if x > limit else x
    x = -limit if x < -limit else x
    s = x * x
    p = F(-2.76076847742355e-16) * s + F(2.00018790482477e-13)
    p = p * s + F(-8.60467152213735e-11)
    p = p * s + F(5.12229709037114e-08)
    p = p * s + F(1.48572235717979e-05)
    p = p * s + F(6.37261928875436e-04)
    p = p * s + F(4.89352455891786e-03)
    q = F(1.19825839466702e-06) * s + F(1.18534705686654e-04)
    q = q * s + F(2.26843463243900e-03)
    q = q * s + F(4.89352518554385e-03)
    return x * p / q


@njit(inline="always")
def exp_parts(x):
    """(exp(r) - 1, 2ⁿ) of x = n log 2 + r, with a polynomial of degree 7; x is held within -87.3 and 88.37.

    Source: Cephes' expf (Moshier 1992): its polynomial, and log 2 in two parts.
    """
    low, high, shift = F(-87.3), F(88.37), F(12582912.0)  # 1.5 · 2²³ pushes the fraction out of a float32
    c = low if x < low else x
    c = high if c > high else c
    shifted = c * F(1.44269504) + shift
    n = shifted - shift
    r = (c - n * F(0.693359375)) - n * F(-2.12194440e-4)
    p = F(1.9875691500e-4) * r + F(1.3981999507e-3)
    p = p * r + F(8.3334519073e-3)
    p = p * r + F(4.1665795894e-2)
    p = p * r + F(1.6666665459e-1)
    p = p * r + F(5.0000001201e-1)
    power = np.int32((np.float32(shifted).view(np.int32) + np.int32(127)) << np.int32(23)).view(np.float32)
    return p * (r * r) + r, power


@njit(inline="always")
def exp(x):
    """Error below 2 units in the last place; 0 below -87.3, never above exp(88.37); NaN stays NaN."""
    q, power = exp_parts(x)
    return F(0) if x < F(-87.3) else (q + F(1)) * power


@njit(inline="always")
def expm1(x):
    """exp(x) - 1 for x ≤ 0 (and NaN), exact near 0 too."""
    q, power = exp_parts(x)
    return q * power + (power - F(1))


@njit(inline="always")
def log(x):
    """log x = e log 2 + 2 atanh s, s = (m - 1)/(m + 1), x = m 2ᵉ, m near 1, for normal numbers; ∞ and NaN stay.

    Source: the series of atanh to s⁹, of which |s| ≤ 0.172 leaves out less than 3e-9 of the sum.
    """
    whole = np.float32(x).view(np.int32)
    m = np.int32((whole & np.int32(0x7FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    e = F((whole >> np.int32(23)) - np.int32(127))
    large = m > F(1.4142135)
    m = m * F(0.5) if large else m
    e = e + F(1) if large else e
    s = (m - F(1)) / (m + F(1))
    t = s * s
    p = F(1 / 9) * t + F(1 / 7)
    p = p * t + F(1 / 5)
    p = p * t + F(1 / 3)
    p = p * t + F(1)
    return e * F(0.6931471805599453) + F(2) * s * p if x < F(np.inf) else x


@njit(inline="always")
def softplus(x):
    """log(1 + exp(x)) = max(x, 0) + 2 atanh(s), s = e/(2 + e), e = exp(-|x|).

    Source: a polynomial in s² fitted for s ≤ 1/3; relative error 5e-9.
    """
    e = exp(-x if x > F(0) else x)
    s = e / (F(2) + e)
    t = s * s
    p = F(0.14015161) * t + F(0.13997887)
    p = p * t + F(0.200111)
    p = p * t + F(0.33333194)
    p = p * t + F(1)
    return (F(0) if x < F(0) else x) + F(2) * s * p


@njit(inline="always")
def normal(x):
    """(Φ(x), exp(-x²/2)): the share of a standard normal distribution below x, and its density but for √(2π).

    Below 0 it is exp(-x²/2) t P(t), t = 1/(1 + c |x|).

    Source: a polynomial fitted to the scaled complementary error function; relative error 3e-7.
    """
    e = exp(F(-0.5) * (x * x))
    t = F(1) / (F(1) + F(0.194454365) * (-x if x < F(0) else x))
    p = F(0.440375303) * t + F(-0.851912206)
    p = p * t + F(1.04224234)
    p = p * t + F(-0.542912535)
    p = p * t + F(0.29782756)
    p = p * t + F(0.0330417678)
    p = p * t + F(0.0813378793)
    tail = p * t * e
    return (tail if x < F(0) else F(1) - tail), e


@njit(inline="always")
def sigmoid(x):
    """1/(1 + exp(-x))."""
    return F(1) / (F(1) + exp(-x))


@njit(**INNER, **PLAIN)
def activate_row(row, activation):
    """row = f(row)."""
    if activation == TANH:
        for j in range(row.size):
            row[j] = tanh(row[j])
    elif activation == SIGMOID:
        for j in range(row.size):
            row[j] = sigmoid(row[j])


@njit(**INNER, **PLAIN)
def activate(z, r0, r1, j0, j1, activation):
    """z[r0:r1, j0:j1] = f(z[r0:r1, j0:j1]) for the activations that the tile does not apply itself."""
    if j0 == 0 and j1 == z.shape[1] and r0 < r1:  # whole rows are one, as short ones would not fill a vector
        activate_row(z[r0:r1].reshape(-1), activation)
    else:
        for i in range(r0, r1):
            activate_row(z[i, j0:j1], activation)
