"""What all tests share."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so a shell starts what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else the commands under test would inherit it
if "PYTEST_XDIST_WORKER" in os.environ:  # several processes: a pool that waits must leave the processor to the others
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of the large real data sets; a test that needs it is skipped where it is absent."""
    named = os.environ.get("DLTRAIN_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("needs real data sets: set DLTRAIN_DATA to their folder")
    return Path(named)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright; a test that needs it is skipped where either is absent."""
    playwright = pytest.importorskip("playwright.sync_api", reason='needs Playwright: `pip install ".[browser]"`')
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs the browser: `apt-get install chromium`")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see neither the user's terminal width nor colours."""
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def all_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The least work is shared between threads."""
    pytest.importorskip("numba")
    from dltrain.kernels.compiled import convolution_job

    monkeypatch.setattr(convolution_job, "SERIAL", 0)
    convolution_job.job.cache_clear()
    yield
    convolution_job.job.cache_clear()
