"""Figure S1 for configs: files made to do harm are refused in a sentence, in little time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "hostile" / "configs.py"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("hostile")
    command = [sys.executable, str(SCRIPT), str(folder)]
    environment = {"PYTHONPATH": str(SCRIPT.parent.parent.parent), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not list(folder.rglob("hacked"))
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_all_are_refused_in_sentences(outcomes: list[dict[str, Any]]) -> None:
    assert len(outcomes) >= 70
    wrong = [o for o in outcomes if o["error"] != "ConfigError" or o["code"] not in (2, 4)]
    assert [(o["name"], o["error"], o["text"][:200]) for o in wrong] == []


def test_each_sentence_has_its_place_and_is_short(outcomes: list[dict[str, Any]]) -> None:
    for outcome in outcomes:
        first = outcome["text"].split("\n")[0]
        assert ".yaml:" in first and len(first) < 700 and outcome["text"].replace("\n", "").isprintable(), outcome[
            "name"
        ]
        assert len(outcome["text"]) < 60_000, outcome["name"]


def test_each_takes_less_than_two_seconds_and_little_memory(outcomes: list[dict[str, Any]]) -> None:
    assert [(o["name"], o["s"]) for o in outcomes if o["s"] > 2] == []
    assert max(o["mib"] for o in outcomes) < 128


def test_damaged_and_hostile_files_have_their_own_exit_code(outcomes: list[dict[str, Any]]) -> None:
    codes = {o["name"]: o["code"] for o in outcomes}
    hostile = [
        "billion laughs",
        "python object",
        "200 kB of [",
        "NUL",
        "too large",
        "extends a parent",
        "invalid UTF-8",
    ]
    assert {name: codes[name] for name in hostile} == dict.fromkeys(hostile, 4)
    assert codes["extends in a circle"] == codes["name leads out"] == codes["import by name"] == 2
