"""All arithmetic on arrays, behind one seam: plain NumPy (the specification) or Numba (the same, faster).

`select` is the only place that asks which implementation, array type or dtype is meant.  Importing this
package imports NumPy only; Numba is imported when a compiled implementation is first selected.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
import warnings
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from dltrain.errors import UsageError
from dltrain.kernels.arrays import Array

IMPLEMENTATIONS = ("auto", "compiled", "reference")
NO_NUMBA = "Numba is not installed: the plain NumPy kernels run instead, several times slower"


class Kernels:
    """A namespace of kernels: every function of `dltrain.kernels.reference` is an attribute.

    Parameters:
        name: which implementation it is, ``reference`` or ``compiled``
        functions: the kernels by name
    """

    def __init__(self, name: str, functions: dict[str, Callable[..., Any]]) -> None:
        self.name = name
        self.functions = functions
        self.__dict__.update(functions)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no kernel {name!r}; there are {', '.join(self.functions)}")


def select(implementation: str = "auto") -> Callable[[Array], Kernels]:
    """The function that chooses the kernels for an array: compiled ones for float32, else the reference.

    Parameters:
        implementation: ``auto`` (compiled where Numba is installed, with a warning where it is not),
            ``compiled`` (Numba must be there) or ``reference``

    Raises:
        UsageError: when the name is unknown, or ``compiled`` is asked for without Numba.

    Example:
        >>> of = select("reference")
        >>> of(np.zeros(3, np.float32)).name
        'reference'
    """
    if implementation not in IMPLEMENTATIONS:
        expected = " or ".join(IMPLEMENTATIONS)
        raise UsageError("there is no such implementation of the kernels", expected=expected, got=repr(implementation))
    plain = namespace("reference")
    if implementation == "reference":
        return lambda x: plain
    if importlib.util.find_spec("numba") is None:
        if implementation == "compiled":
            raise UsageError("the compiled kernels need Numba, which is not installed", hint="pip install numba")
        warnings.warn(NO_NUMBA, RuntimeWarning, stacklevel=2)
        return lambda x: plain
    fast, float32 = namespace("compiled"), np.dtype(np.float32)
    return lambda x: fast if x.dtype == float32 else plain


@lru_cache(maxsize=2)
def namespace(name: str) -> Kernels:
    """All kernels of one implementation; where there is no compiled one of a name, the reference's.

    Parameters:
        name: ``reference`` (any dtype and strides, complex numbers for the complex step) or ``compiled``
    """
    plain = _functions("dltrain.kernels.reference")
    if name == "reference":
        return Kernels(name, plain)
    prepare_numba()
    with importlib.import_module("dltrain.kernels.compiled.cache").kept():
        faster = _functions("dltrain.kernels.compiled")
    return Kernels(name, {key: faster.get(key, function) for key, function in plain.items()})


def prepare_numba() -> ModuleType:
    """Import Numba, with OpenMP first among its thread pools unless the user has chosen otherwise.

    Its threads keep spinning for a moment between two parallel regions, which is what a training step of many
    short ones needs: 0.4 ms for a small network, 0.8 with sleeping threads, 1.0 with Numba's own pool.  But they
    spin for 0.2 ms instead of OpenMP's several: where another program wants the processor too, a longer spin
    made a step of 1 ms one of 14.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        waiting = importlib.import_module("dltrain.kernels.compiled.waiting")
        os.environ["GOMP_SPINCOUNT"] = str(waiting.spin_count())
    numba = importlib.import_module("numba")
    if not os.environ.get("NUMBA_THREADING_LAYER_PRIORITY"):
        numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]
    return numba


def compiles_first(kernels: Kernels) -> bool:
    """Whether kernels will be compiled before they run, since nothing has run on this machine yet."""
    if kernels.name != "compiled":
        return False
    cache = importlib.import_module("dltrain.kernels.compiled.cache")
    return next(cache.folder().rglob("*.nbc"), None) is None


def threads() -> int:
    """Number of threads the kernels use; the bits of a result may depend on it and on nothing else."""
    jit = sys.modules.get("dltrain.kernels.compiled.jit")
    return int(jit.compiled.threads) if jit else 1


def set_threads(count: int) -> int:
    """Use this many threads, at most as many as Numba has started; returns the number that is used.

    Parameters:
        count: threads wanted, from 1
    """
    numba = prepare_numba()
    count = max(1, min(count, numba.config.NUMBA_NUM_THREADS))
    numba.set_num_threads(count)
    importlib.import_module("dltrain.kernels.compiled.jit").compiled.threads = count
    return count


def work_alone() -> None:
    """From now on the kernels that this thread calls start no threads: it works beside the one that trains."""
    jit = sys.modules.get("dltrain.kernels.compiled.jit")
    if jit:
        jit.thread.alone = True


def warmup(processes: int = 1, told: Callable[[int, int], None] = lambda done, total: None) -> list[str]:
    """Compile all kernels now, or load them from disk; returns their names.

    Parameters:
        processes: that compile beside each other
        told: called with how many of how many are ready

    Raises:
        UsageError: when Numba is not installed.
    """
    select("compiled")
    importlib.import_module("dltrain.kernels.compiled.warmup").warm_up(processes, told)
    faster, plain = namespace("compiled").functions, namespace("reference").functions
    return [name for name in plain if faster[name] is not plain[name]]


def _functions(package: str) -> dict[str, Callable[..., Any]]:
    """The public functions of a package's modules that have the name of one of the reference's."""
    there = {info.name for info in pkgutil.iter_modules(importlib.import_module(package).__path__)}
    found: dict[str, Callable[..., Any]] = {}
    for info in pkgutil.iter_modules(importlib.import_module("dltrain.kernels.reference").__path__):
        if info.name not in there:
            continue
        module = importlib.import_module(f"{package}.{info.name}")
        for name, thing in vars(module).items():
            if inspect.isfunction(thing) and thing.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = thing
    return found
