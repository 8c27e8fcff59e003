"""`dltrain warmup` compiles everything: nothing is left to compile afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

COMMAND = [sys.executable, "-m", "dltrain"]


def kept(folder: Path) -> set[Path]:
    """The compiled kernels in a folder."""
    return set(folder.rglob("*.nbc"))


@pytest.mark.slow
def test_nothing_is_left_to_compile(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}

    def run(*words: str) -> str:
        done = subprocess.run([*COMMAND, *words], env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = json.loads(run("warmup", "--threads", "2", "--json"))
    compiled = kept(cache)
    assert len(compiled) >= first["kernels"] > 50
    for config in ("digits-mlp", "shapes-u-net", "mnist-lenet"):
        needs = "DLTRAIN_DATA" in os.environ or config != "mnist-lenet"
        if needs:
            run("fit", config, "--fast-dev-run", "--json")
    run("warmup", "--json")
    assert kept(cache) == compiled
