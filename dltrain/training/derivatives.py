"""Numerical derivatives of a scalar function along a line: the complex step, and central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

COMPLEX_STEP = 1e-20  # its square is far below the smallest bit, so that nothing is cut off and nothing cancels
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)

Line = Callable[[Any], Any]  # the function's value at a (real or complex) distance from the point


def complex_step(value: Line) -> float:
    """f'(0) = Im f(ih) / h, exact to rounding for every h that is small enough.

    Needs a function that is analytic in pieces and compares real parts only: no `abs`, no conversion to real.

    Example:
        >>> complex_step(lambda t: (3 + t) ** 2)
        6.0

    Source: Squire, Trapp: Using complex variables to estimate derivatives of real functions, 1998.
    """
    return float(complex(value(1j * COMPLEX_STEP)).imag / COMPLEX_STEP)


def central_difference(value: Line, tolerance: float) -> float | None:
    """f'(0) from f at ±h and ±h/2, extrapolated to h = 0; None where the function has a kink nearby.

    The two step widths must agree to within the tolerance; where they do not, a kink lies between the points
    (or the function bends strongly) and a smaller h is tried.  At the point itself a kink shows in the slopes
    on both sides, whose difference does not shrink with h.

    Parameters:
        value: the function along the line
        tolerance: how much the two estimates may differ

    Example:
        >>> round(central_difference(lambda t: (3 + t) ** 3, 1e-6), 6)
        27.0
        >>> central_difference(abs, 1e-6) is None
        True

    Source: Richardson: The deferred approach to the limit, 1927.
    """
    here = value(0.0)
    for h in STEPS:
        far, near = (value(h), value(-h)), (value(h / 2), value(-h / 2))
        wide, narrow = (far[0] - far[1]) / (2 * h), (near[0] - near[1]) / h
        if not abs(wide - narrow) <= tolerance:
            continue
        gaps = abs(far[0] + far[1] - 2 * here) / h, abs(near[0] + near[1] - 2 * here) / (h / 2)
        if gaps[1] > 0.8 * gaps[0] and gaps[1] > 100 * tolerance:
            return None
        return float((4 * narrow - wide) / 3)
    return None


def between_slopes(value: Line, slope: float, scale: float) -> bool:
    """Whether the function has a kink at 0 and the slope is one of those between its two sides.

    There every such slope is as right as any other, and a backward pass may give another than the complex step.

    Parameters:
        value: the function along the line
        slope: to be judged
        scale: of slopes; less than a thousandth of it is no kink

    Example:
        >>> between_slopes(abs, 0.0, 1.0), between_slopes(abs, 1.5, 1.0), between_slopes(lambda t: t, 0.999, 1.0)
        (True, False, False)
    """
    here, h = value(0.0), 1e-7
    left, right = (here - value(-h)) / h, (value(h) - here) / h
    slack = 1e-3 * scale
    return abs(right - left) > slack and min(left, right) - slack <= slope <= max(left, right) + slack
