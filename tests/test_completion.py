"""Completion of commands, options, names and keys: what the command says, and what bash, fish and zsh make of it."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dltrain
from dltrain.cli.main import run

ROOT = Path(dltrain.__file__).parent.parent
ASKED = {
    "explain drop": {"dropout"},
    "explain train.ba": {"train.batch_size"},
    "list opt": {"optimizers"},
    "fit --fast": {"--fast-dev-run"},
}
FILES = {"fit digi": {"digits-mlp", "digits.yaml"}}  # names and files


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_DLTRAIN_COMPLETE" in script
    assert run(["completion", shell, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["script"].strip() == script.strip()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dltrain ev", "evaluate"),
        ("dltrain fit --fast", "--fast-dev-run"),
        ("dltrain fit digits", "digits-mlp"),
        ("dltrain list opt", "optimizers"),
        ("dltrain explain drop", "dropout"),
        ("dltrain explain train.ba", "train.batch_size"),
        ("dltrain explain optimizer.adam.cl", "optimizer.adam.clip_norm"),
        ("dltrain runs d", "diff"),
    ],
)
def test_completion(words: str, expected: str) -> None:
    count = str(len(words.split()) - 1)
    environment = {**os.environ, "_DLTRAIN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    command = [sys.executable, "-m", "dltrain"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert f"plain,{expected}" in done.stdout.split("\n")
    assert not done.stderr


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a config, the command `dltrain`, and its completion scripts."""
    (tmp_path / "dltrain").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dltrain "$@"\n')
    (tmp_path / "dltrain").chmod(0o755)
    (tmp_path / "digits.yaml").touch()
    for shell in ("bash", "zsh", "fish"):
        command = [sys.executable, "-m", "dltrain", "completion", shell]
        script = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(tmp_path)).stdout
        (tmp_path / f"script.{shell}").write_text(script)
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    """The environment in which `dltrain` is the command of this folder."""
    return {**os.environ, "PATH": f"{place}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(place)}


def said(place: Path, *command: str) -> set[str]:
    """The words that a command prints."""
    done = subprocess.run(command, cwd=place, env=environment(place), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("words", [*ASKED, *FILES])
def test_completion_in_bash(words: str, place: Path) -> None:
    ask = (
        "source ./script.bash; COMP_WORDS=(dltrain $1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "
        '_dltrain_completion dltrain; echo "${COMPREPLY[@]}"'
    )
    assert said(place, "bash", "-c", ask, "bash", words) >= (ASKED | FILES)[words]


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
@pytest.mark.parametrize("words", [*ASKED, *FILES])
def test_completion_in_fish(words: str, place: Path) -> None:
    ask = f"source script.fish; complete -C 'dltrain {words}'"
    assert said(place, "fish", "--no-config", "-c", ask) >= (ASKED | FILES)[words]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
@pytest.mark.parametrize("words", ASKED)
def test_completion_in_zsh(words: str, place: Path) -> None:
    """A line editor in a terminal of its own, in which Tab is pressed."""
    (expected,) = ASKED[words]
    with Terminal(place) as terminal:
        terminal.type("autoload -Uz compinit; compinit -u -D; source ./script.zsh; PS1=; echo rea''dy\n", "ready")
        terminal.type(f"dltrain {words}\t", f"dltrain {words.partition(' ')[0]} {expected}")


class Terminal:
    """An interactive zsh."""

    def __init__(self, place: Path) -> None:
        self.descriptor, inner = pty.openpty()
        self.process = subprocess.Popen(
            ["zsh", "-i"],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=place,
            env={**environment(place), "TERM": "dumb", "ZDOTDIR": str(place)},
            start_new_session=True,
        )
        os.close(inner)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.descriptor)

    def type(self, text: str, wanted: str) -> None:
        """Type a text and wait until the screen shows what is wanted."""
        os.write(self.descriptor, text.encode())
        screen, end = "", time.monotonic() + 30
        while wanted not in screen:
            ready, _, _ = select.select([self.descriptor], [], [], 0.1)
            screen += os.read(self.descriptor, 1 << 16).decode(errors="replace") if ready else ""
            assert time.monotonic() < end, screen
