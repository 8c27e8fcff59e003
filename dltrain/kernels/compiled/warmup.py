"""Compiling all kernels at once, by several processes, which takes a minute or two, once per machine."""

from __future__ import annotations

import importlib
import inspect
import itertools
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from dltrain.kernels import namespace

FLAT = ("dltrain.kernels.compiled.optim", "dltrain.kernels.compiled.averaging")  # of kernels on flat vectors


def warm_up(processes: int, told: Callable[[int, int], None]) -> None:
    """Compile every kernel, or load it from disk.

    Parameters:
        processes: that compile beside each other
        told: called with how many of how many kernels are ready
    """
    namespace("compiled")
    names = list(importlib.import_module("dltrain.kernels.compiled.jit").compiled.known)
    compile_beside(names, processes, told)
    for name in names:  # from disk
        ready(name)
    for module in map(importlib.import_module, FLAT):
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_"):
                for size in (1, 100_000):
                    function(*examples(function, size))


def compile_beside(names: list[str], processes: int, told: Callable[[int, int], None]) -> None:
    """Let other processes compile; one that dies leaves its kernel to the caller.

    Each is given name after name through a pipe, which closes when this process ends, however it ends: then it
    finishes its kernel and ends too.  Ctrl-C does not reach it.
    """
    command = [sys.executable, "-P", "-m", __name__]  # not what a folder of this name here may hold
    left, done = iter(names), itertools.count(1)

    def lead() -> None:
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as child, suppress(BrokenPipeError):
            assert child.stdin and child.stdout
            for name in left:
                print(name, file=child.stdin, flush=True)
                if not child.stdout.readline():
                    return
                told(next(done), len(names))

    leaders = [threading.Thread(target=lead, daemon=True) for _ in range(processes)]
    for leader in leaders:
        leader.start()
    for leader in leaders:
        leader.join()


def ready(name: str) -> None:
    """Compile one kernel, or load it from disk."""
    namespace("compiled")
    getattr(importlib.import_module("dltrain.kernels.compiled.jit").compiled, name)


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


if __name__ == "__main__":
    for line in sys.stdin:
        ready(line.strip())
        print(flush=True)
