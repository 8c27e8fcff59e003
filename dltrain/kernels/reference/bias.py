"""One number for each channel, added to what no product has added it to, and its gradient."""

from __future__ import annotations

import numpy as np

from dltrain.kernels.arrays import Array, give, rows_of


@np.errstate(invalid="ignore", over="ignore")
def add_bias(x: Array, b: Array, out: Array) -> Array:
    """out = x + b.

    Parameters:
        x: (…, C)
        b: (C,)
        out: the shape of x; it may be x
    """
    out[...] = x + b
    return out


@np.errstate(invalid="ignore", over="ignore")
def bias_gradient(dy: Array, db: Array, add: bool) -> Array:
    """db (+)= Σ dy over all axes but the last, in float64; returns db.

    Parameters:
        dy: (…, C)
        db: (C,), receives the gradient
        add: add to db, instead of storing into it
    """
    give(db, rows_of(dy).sum(0, dtype=np.result_type(dy.dtype, np.float64)).astype(db.dtype), add)
    return db
