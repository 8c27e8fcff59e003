"""Compiling all kernels at once, which takes some seconds, once per machine."""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from dltrain.kernels import namespace
from dltrain.kernels.compiled import cache


def warm_up() -> float:
    """Compile every kernel, or load it from disk; returns the seconds it took."""
    start = time.perf_counter()
    namespace("compiled")
    jit = importlib.import_module("dltrain.kernels.compiled.jit")
    for name in jit.compiled.known:
        getattr(jit.compiled, name)
    flat = ("dltrain.kernels.compiled.optim", "dltrain.kernels.compiled.averaging")  # of kernels on flat vectors
    for module in map(importlib.import_module, flat):
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_"):
                for size in (1, 100_000):
                    function(*examples(function, size))
    with suppress(OSError):  # without the mark it is only done, and quickly, once more
        cache.marker().parent.mkdir(parents=True, exist_ok=True)
        cache.marker().touch()
    return time.perf_counter() - start


def is_cached() -> bool:
    """Whether `warm_up` has been here before, for this version of the sources, of Python and of Numba.

    It looks at one file and loads no kernel; a cache copied from another processor looks complete too.
    """
    return cache.marker().exists()


def examples(function: Callable[..., Any], size: int) -> list[Any]:
    """Arguments of the annotated types: vectors of this size and harmless numbers.

    Example:
        >>> def scale(value: Array, rate: float, blocked: bool) -> None: ...
        >>> examples(scale, 2)
        [array([0., 0.], dtype=float32), 0.5, False]
    """
    values: dict[str, Callable[[], Any]] = {
        "Array": lambda: np.zeros(size, np.float32),
        "float": lambda: 0.5,
        "int": lambda: 0,
        "bool": lambda: False,
    }
    return [values[str(p.annotation)]() for p in inspect.signature(function).parameters.values()]
