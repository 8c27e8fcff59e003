"""How the kernels are compiled: one signature each, when it is first needed, kept on disk.

A kernel takes float32 arrays that are aligned, writable and in C order.  Instead of asking that of every
argument at every call, a wrapper just calls the kernel: an array of another kind (float64, strided, read-only)
is refused by Numba's own dispatch with a TypeError, and then goes the slow way, usually to the reference.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from numba import get_num_threads, njit

from dltrain.kernels.arrays import Array
from dltrain.kernels.compiled.cache import kept

FLOAT32 = np.dtype(np.float32)
NO_2D = np.empty((0, 0), np.float32)
OPTIONS: dict[str, Any] = {"cache": True, "error_model": "numpy", "nogil": True}
# Functions that only kernels call need no entry points and no file of their own, which halves their cost.
INNER: dict[str, Any] = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# What may be assumed of arithmetic: fused multiply-adds always; in sums also another order.  Never that NaN
# and infinity do not occur, for the guard against them must see them.
PLAIN: dict[str, Any] = {"fastmath": {"contract"}}
SUMS: dict[str, Any] = {"fastmath": {"contract", "reassoc", "nsz"}}
SERIAL = 50_000  # elements below which starting the threads costs more than they save
# Only the loops that say so: turning every array expression into a parallel loop triples the time to compile.
PARALLEL = {
    **OPTIONS,
    "parallel": {
        "prange": True, "numpy": False, "reduction": False, "setitem": False, "inplace_binop": False,
        "stencil": False, "fusion": False, "comprehension": False,
    },
}  # fmt: skip
SHORT = {
    "f1": "float32[::1]",
    "f2": "float32[:,::1]",
    "f3": "float32[:,:,::1]",
    "f4": "float32[:,:,:,::1]",
    "f5": "float32[:,:,:,:,::1]",
    "i1": "int64[::1]",
    "i2": "int64[:,::1]",
    "d2": "float64[:,::1]",
    "axes": "UniTuple(int64, 3)",
    "int": "int64",
    "float": "float64",
    "bool": "boolean",
    "read1": "Array(int64, 1, 'C', readonly=True)",
    "read2": "Array(float32, 2, 'C', readonly=True)",
}


class Registry:
    """All compiled kernels, by name, as attributes; the first access compiles one, or loads it from disk.

    `threads` is the number of parts that parallel kernels cut their work into.  Numba's own count would cost
    a microsecond at every call.
    """

    def __init__(self) -> None:
        self.known: dict[str, Callable[[], Any]] = {"threads": get_num_threads}

    def __getattr__(self, name: str) -> Any:
        try:
            make = self.known[name]
        except KeyError:
            raise AttributeError(name) from None
        with kept():
            setattr(self, name, make())
        return self.__dict__[name]


compiled = Registry()


class Thread(threading.local):
    """What each thread of Python knows of itself.

    `alone` says that the kernels it calls start no threads: it works beside the thread that trains.
    """

    alone = False


thread = Thread()


def parts(size: int) -> int:
    """Into how many parts an element-wise kernel cuts its work; 1 means that no thread is started."""
    return 1 if size < SERIAL or thread.alone else compiled.threads


def kernel(arguments: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: register a function as a kernel that takes exactly these types.

    Parameters:
        arguments: types in Numba's words, and by SHORT
        options: of numba.njit
    """
    types = ", ".join(SHORT.get(word, word) for word in arguments.split())

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        # Numba empties the mappings it is given.
        compiled.known[function.__name__] = lambda: njit(f"({types},)", **deepcopy(options))(function)
        return function

    return decorate


def fits(*arrays: Array | None) -> bool:
    """Whether these are all float32, in C order, aligned and writable; None counts as fitting."""
    return all(array is None or (array.dtype == FLOAT32 and array.flags.carray) for array in arrays)


def plain(array: Array | None) -> Array:
    """As a kernel takes it: in C order and writable, a copy if need be; empty where there is none."""
    if array is None:
        return NO_2D
    return array if fits(array) else np.array(array, FLOAT32, order="C")
