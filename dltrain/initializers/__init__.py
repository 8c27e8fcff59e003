"""Initializers: what parameters are before training.

Random numbers are drawn in float64 and then rounded, so that a float32 and a float64 model of one seed start from
the same weights up to rounding.
"""

from __future__ import annotations

from dltrain.initializers import drawn, fixed, scaled
from dltrain.initializers.misfit import Misfit

__all__ = ["Misfit", "drawn", "fixed", "scaled"]
