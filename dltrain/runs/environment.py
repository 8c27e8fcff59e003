"""What a result depends on beside config, data and seed: versions, BLAS, threads, processor.

Results repeat bit by bit on the same machine with the same NumPy and the same number of threads; that is why these
three are written down with every run.  The process' environment variables are never read as a whole.
"""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from typing import Any

PACKAGES = ("numpy", "numba", "h5py", "scikit-learn")


def environment() -> dict[str, Any]:
    """Versions and machine as a mapping that JSON can say; imports nothing heavy.

    Example:
        >>> sorted(environment())
        ['blas', 'cores', 'dltrain', 'packages', 'processor', 'python', 'system', 'threads']
    """
    return {
        "dltrain": version("dltrain"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "blas": blas(),
        "threads": threads(),
        "cores": cores(),
        "processor": processor(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def version(package: str) -> str | None:
    """Version of a package, from the module if it has been imported; None when it is not installed."""
    known = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(known, str):
        return known
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def blas() -> list[dict[str, Any]]:
    """The BLAS libraries that are loaded, each with name, version, threads and the processor it was tuned for."""
    if "numpy" not in sys.modules:
        return []
    from threadpoolctl import threadpool_info

    found = [
        {
            "name": library["internal_api"],
            "version": library.get("version"),
            "threads": library.get("num_threads"),
            "architecture": library.get("architecture"),
        }
        for library in threadpool_info()
        if library.get("user_api") == "blas"
    ]
    return sorted(found, key=str)


def threads() -> int:
    """Threads that the compiled kernels use, or would use: as Numba counts them where it is not loaded.

    Example:
        >>> threads() >= 1
        True
    """
    numba = sys.modules.get("numba")
    if numba is not None:
        return int(numba.get_num_threads())
    wanted = os.environ.get("NUMBA_NUM_THREADS", "").strip()
    return int(wanted) if wanted.isascii() and wanted.isdigit() and int(wanted) > 0 else cores()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Name of the processor."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
