# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The element-wise functions and their gradients over flat vectors, chosen by a code."""

from __future__ import annotations

from numba import njit

from dltrain.kernels.compiled.jit import INNER, PLAIN
from dltrain.kernels.compiled.pointwise import F, expm1, normal, sigmoid, softplus, tanh
from dltrain.kernels.compiled.tile import LINEAR, RELU, SIGMOID, TANH
from dltrain.kernels.reference.activations import GELU_CUBIC, GELU_FAR, GELU_SCALE, SELU_ALPHA, SELU_SCALE

LEAKY, RELU6, HARD_TANH, HARD_SIGMOID, ELU, SELU, SOFTPLUS, SWISH, GELU, GELU_TANH, SIGN, STEP = range(4, 16)
CODES = {
    "linear": LINEAR, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID, "leaky_relu": LEAKY, "relu6": RELU6,
    "hard_tanh": HARD_TANH, "hard_sigmoid": HARD_SIGMOID, "elu": ELU, "selu": SELU, "softplus": SOFTPLUS,
    "swish": SWISH, "gelu": GELU, "gelu_tanh": GELU_TANH, "sign": SIGN, "step": STEP,
}  # fmt: skip
CUBIC, SCALE, DENSITY = F(GELU_CUBIC), F(2 * GELU_SCALE), F(0.3989422804014327)  # DENSITY = 1/√(2π)
FAR = F(GELU_FAR)


@njit(**INNER, **PLAIN)
def edges(code):
    """(low, high, slope, offset) of the functions that are slope · clip(x, low, high) + offset; slope 0 for others."""
    if code == RELU6:
        return F(0), F(6), F(1), F(0)
    if code == HARD_TANH:
        return F(-1), F(1), F(1), F(0)
    if code == HARD_SIGMOID:
        return F(-3), F(3), F(1 / 6), F(0.5)
    return F(0), F(0), F(0), F(0)


@njit(**INNER, **PLAIN)
def exponential(code, alpha):
    """(factor above 0, factor below 0) of elu and selu; 0 for others."""
    if code == ELU:
        return F(1), alpha
    if code == SELU:
        return F(SELU_SCALE), F(SELU_SCALE * SELU_ALPHA)
    return F(0), F(0)


@njit(**INNER, **PLAIN)
def apply(x, code, alpha, out):
    """out = f(x) for flat vectors (n,); see the table of the reference.  NaN stays NaN."""
    low, high, slope, offset = edges(code)
    above, below = exponential(code, alpha)
    if code == RELU:
        for i in range(x.size):
            out[i] = F(0) if x[i] < F(0) else x[i]
    elif code == LEAKY:
        for i in range(x.size):
            out[i] = x[i] * alpha if x[i] < F(0) else x[i]
    elif code == TANH:
        for i in range(x.size):
            out[i] = tanh(x[i])
    elif code == SIGMOID:
        for i in range(x.size):
            out[i] = sigmoid(x[i])
    elif slope > F(0):
        for i in range(x.size):
            v = low if x[i] < low else x[i]
            out[i] = (high if v > high else v) * slope + offset
    elif above > F(0):
        for i in range(x.size):
            out[i] = expm1(x[i]) * below if x[i] < F(0) else x[i] * above
    elif code == SOFTPLUS:
        for i in range(x.size):
            out[i] = softplus(x[i])
    elif code == SWISH:
        for i in range(x.size):
            out[i] = x[i] * sigmoid(alpha * x[i])
    elif code == GELU:
        for i in range(x.size):
            out[i] = x[i] * normal(x[i])[0]
    elif code == GELU_TANH:
        for i in range(x.size):
            v = x[i]
            out[i] = v * sigmoid(SCALE * v * (F(1) + CUBIC * v * v))
    elif code in (SIGN, STEP):
        least = F(-1) if code == SIGN else F(0)
        for i in range(x.size):
            v = F(1) if x[i] >= F(0) else x[i]
            out[i] = least if x[i] < F(0) else v
    else:
        out[:] = x


@njit(**INNER, **PLAIN)
def apply_backward(x, y, dy, code, alpha, out):
    """out = dy f'(x) for flat vectors (n,), by y = f(x) where that is cheaper; see the table of the reference."""
    low, high, slope, _ = edges(code)
    above, below = exponential(code, alpha)
    if code == RELU:
        for i in range(y.size):
            out[i] = F(0) if y[i] <= F(0) else dy[i]
    elif code == LEAKY:
        for i in range(y.size):
            out[i] = dy[i] * alpha if x[i] < F(0) else dy[i]
    elif code == TANH:
        for i in range(y.size):
            out[i] = dy[i] * (F(1) - y[i] * y[i])
    elif code == SIGMOID:
        for i in range(y.size):
            out[i] = dy[i] * (y[i] * (F(1) - y[i]))
    elif slope > F(0):
        for i in range(y.size):
            v = F(0) if x[i] >= high else dy[i] * slope
            out[i] = F(0) if x[i] <= low else v
    elif above > F(0):
        for i in range(y.size):
            out[i] = dy[i] * (y[i] + below) if x[i] < F(0) else dy[i] * above
    elif code == SOFTPLUS:
        for i in range(y.size):
            out[i] = dy[i] * sigmoid(x[i])
    elif code == SWISH:
        for i in range(y.size):
            s = sigmoid(alpha * x[i])
            out[i] = dy[i] * (s + alpha * y[i] * (F(1) - s))
    elif code == GELU:
        for i in range(y.size):
            share, e = normal(x[i])
            out[i] = dy[i] * (share + x[i] * e * DENSITY)
    elif code == GELU_TANH:
        for i in range(y.size):
            v = x[i]
            v = FAR if v > FAR else v  # there s is 0 or 1 already, and the powers are still finite
            v = -FAR if v < -FAR else v
            s = sigmoid(SCALE * v * (F(1) + CUBIC * v * v))
            out[i] = dy[i] * (s + SCALE * v * s * (F(1) - s) * (F(1) + F(3) * CUBIC * v * v))
    elif code == SIGN:
        for i in range(y.size):
            v = F(0) if x[i] > F(1) else dy[i]
            out[i] = F(0) if x[i] < F(-1) else v
    else:
        out[:] = dy
