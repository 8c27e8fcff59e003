"""Where compiled kernels are kept between processes.

Numba keys a compiled function by the text of the file that defines it, but ours are built from several files
(a product inlines its tile).  So they live in a folder named after the text of all of them: an upgrade or an
edit never meets stale machine code.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from numba.core import config

HERE = Path(__file__).parent
LOCK = threading.RLock()  # the settings are Numba's, and the same for all threads
MONTH = 30 * 24 * 3600  # seconds after which the folder of other sources is removed


@lru_cache(maxsize=1)
def folder() -> Path:
    """$NUMBA_CACHE_DIR, or beside the sources, or in the user's cache; and there a folder for these sources."""
    return base() / f"dltrain-{digest(HERE.parent)[:16]}"


def digest(package: Path) -> str:
    """SHA-256 of the text of a package: the compiled kernels hold constants of the reference, too."""
    found = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        found.update(source.read_bytes())
    return found.hexdigest()


def base() -> Path:
    """The first of the possible places that can be written to."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return Path(given)
    beside = HERE / "__pycache__"
    try:
        beside.mkdir(exist_ok=True)
        if os.access(beside, os.W_OK):
            return beside
    except OSError:
        pass  # an installation that may only be read
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dltrain"


@contextmanager
def kept() -> Iterator[None]:
    """Functions compiled by Numba inside this context are kept in `folder`; others' settings stay as they are."""
    with LOCK:
        before = config.CACHE_DIR
        begin(folder())
        config.CACHE_DIR = str(folder())
        try:
            yield
        finally:
            config.CACHE_DIR = before


def begin(new: Path) -> None:
    """Make a folder; if it was not there, remove those beside it that were made for other sources long ago."""
    try:
        new.mkdir(parents=True)
        for other in new.parent.glob("dltrain-" + 16 * "[0-9a-f]"):
            if time.time() - other.stat().st_mtime > MONTH:
                shutil.rmtree(other, ignore_errors=True)
    except OSError:
        pass  # it is there already, or may not be made: Numba then looks for another place
