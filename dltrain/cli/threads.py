"""How many threads the arithmetic uses; it has to be said before NumPy is imported."""

from __future__ import annotations

import os
import sys

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def prepare(threads: int | None) -> None:
    """Fix the number of threads for NumPy's BLAS and Numba.

    Parameters:
        threads: as the user asked for; None leaves the environment's choice, or takes one for each processor
            that this process may use
    """
    for name in VARIABLES:
        if threads is not None:
            os.environ[name] = str(threads)
        else:
            os.environ.setdefault(name, str(default_threads()))
    if threads is not None and "numpy" in sys.modules:  # called from a program that has loaded it already
        import threadpoolctl

        from dltrain.kernels import set_threads

        threadpoolctl.threadpool_limits(threads)
        if "numba" in sys.modules:
            set_threads(threads)


def default_threads() -> int:
    """OMP_NUM_THREADS where it is a number, else the processors that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    available = getattr(os, "sched_getaffinity", None)  # absent on macOS and Windows
    return len(available(0)) if available else os.cpu_count() or 1
