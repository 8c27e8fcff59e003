"""Run folders: made by many at once, found by name, locked by one, listed, compared and removed (figure R6)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from dltrain.errors import CorruptFileError, DltrainError, StorageError, UsageError
from dltrain.runs import files, listing
from dltrain.runs.folder import RunFolder
from dltrain.runs.lock import holder
from dltrain.runs.naming import safe_name
from dltrain.training import checkpoint


def started(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@contextmanager
def processes(program: str, count: int, *arguments: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Some processes at once, ended and reaped afterwards."""
    with ExitStack() as stack:
        children = [stack.enter_context(started(program, *arguments)) for _ in range(count)]
        try:
            yield children
        finally:
            for child in children:
                child.kill()


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def test_a_new_run_has_a_number_of_its_own(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "runs"
    names = [RunFolder.create(root, "digits").name for _ in range(3)]
    assert names == ["digits-1", "digits-2", "digits-3"]
    RunFolder.create(root, "digits-2")
    listing.remove(RunFolder.find("digits-2", root))
    assert RunFolder.create(root, "digits").name == "digits-4"
    assert sorted(os.listdir(root)) == ["digits-1", "digits-2-1", "digits-3", "digits-4"]


def test_100_threads_make_100_folders(tmp_path: Path) -> None:
    with ThreadPoolExecutor(100) as pool:
        made = list(pool.map(lambda _: RunFolder.create(tmp_path, "run").name, range(100)))
    assert sorted(made) == sorted(f"run-{number}" for number in range(1, 101))
    assert len(listing.rows(tmp_path)) == 100


def test_processes_make_folders_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from dltrain.runs.folder import RunFolder\n"
        "input()\n"
        "print(*(RunFolder.create(sys.argv[1], 'run').name for _ in range(25)))"
    )
    with processes(program, 4, str(tmp_path)) as children:
        made = " ".join(child.communicate("\n")[0] for child in children).split()
    assert len(made) == len(set(made)) == len(os.listdir(tmp_path)) == 100


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("digits-mlp", "digits-mlp"),
        ("../../etc", "etc"),
        ("a/b\\c", "a-b-c"),
        (".hidden", "hidden"),
        ("", "run"),
        ("...", "run"),
        ("größe 2.0", "größe-2.0"),
        ("a\0b\nc\x1b[31m", "a-b-c-31m"),
        ("-rf", "rf"),
        ("x" * 500, "x" * 120),
        ("ü" * 500, "ü" * 60),
        ("\u202eabc", "abc"),
    ],
)
def test_names_become_one_harmless_component(tmp_path: Path, name: str, safe: str) -> None:
    assert safe_name(name) == safe
    run = RunFolder.create(tmp_path, name)
    assert run.path.parent == tmp_path
    assert run.name == f"{safe}-1"


def test_find_by_path_name_and_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "runs"
    for name in ["digits-mlp"] * 11 + ["digits-cnn", "wine"]:
        RunFolder.create(root, name)
    (root / "notes").mkdir()
    monkeypatch.chdir(tmp_path)
    for text, found in {
        "digits-mlp-2": "digits-mlp-2",
        "digits-mlp": "digits-mlp-11",
        "digits-m": "digits-mlp-11",
        "wi": "wine-1",
        "runs/wine-1": "wine-1",
        str(root / "wine-1"): "wine-1",
        "runs/../runs/wine-1/": "wine-1",
    }.items():
        run = RunFolder.find(text)
        assert run.name == found
        assert run.path.is_absolute()


def test_newest_takes_no_other_name(tmp_path: Path) -> None:
    for name in ["digits mlp"] * 10:
        RunFolder.create(tmp_path, name)
    (tmp_path / "digits-mlp-99").mkdir()
    assert RunFolder.newest(tmp_path, "digits") is None
    assert RunFolder.newest(tmp_path, "digits mlp") == RunFolder.find("digits-mlp-10", tmp_path)
    assert RunFolder.newest(tmp_path / "absent", "digits") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digits", "several runs begin like this; got digits-cnn, digits-mlp; name one of them"),
        ("digit-mlp", "did you mean 'digits-mlp'"),
        ("digits-mlp-3", "did you mean 'digits-mlp-1'"),
        ("notes", "there is no such run"),
        ("", "there is no such run"),
        ("quite other", "`dltrain runs ls` shows all runs"),
        ("../outside-1", "there is no such run"),
    ],
)
def test_what_is_not_found_is_explained(tmp_path: Path, text: str, message: str) -> None:
    root = tmp_path / "runs"
    for name in ("digits-mlp", "digits-cnn"):
        RunFolder.create(root, name)
    (root / "notes").mkdir()
    RunFolder.create(tmp_path, "outside")
    with pytest.raises(UsageError, match=re.escape(message)):
        RunFolder.find(text, root)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a")
    (tmp_path / "link").symlink_to(run.path)
    for path in (tmp_path, tmp_path / "absent", tmp_path / "link"):
        with pytest.raises(UsageError, match="this is not a run folder"):
            RunFolder.open(path)
    files.write_json(run.path / ".dltrain-run.json", {"format": 99})
    with pytest.raises(CorruptFileError, match="the run has another format; expected format 1"):
        RunFolder.open(run.path)


def test_a_link_for_the_checkpoints_is_refused(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a")
    run.checkpoints_path.rmdir()
    run.checkpoints_path.symlink_to(tmp_path)
    with pytest.raises(CorruptFileError, match="a link stands for the folder of the checkpoints"):
        RunFolder.open(run.path)


def test_what_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file: cannot .* the folder; got Not a directory"):
        RunFolder.create(tmp_path / "file", "a")


def test_8_processes_on_one_run_1_holds_7_are_refused(tmp_path: Path) -> None:
    program = (
        "import sys; from dltrain.errors import StorageError; from dltrain.runs.folder import RunFolder\n"
        "run = RunFolder.open(sys.argv[1])\n"
        "try:\n"
        "    with run.lock(): print('holds', flush=True); input()\n"
        "except StorageError as error: print(error.exit_code, error, flush=True)"
    )
    run = RunFolder.create(tmp_path, "a")
    with processes(program, 8, str(run.path)) as children:
        texts = [line(child) for child in children]
        assert texts.count("holds") == 1
        holding = children[texts.index("holds")]
        for text in texts:
            if text != "holds":
                assert text.startswith(f"5 {run.path}: the run is in use; got ")
        with pytest.raises(
            StorageError, match=rf"process {holding.pid} on .* since \d{{4}}-\d\d-\d\dT.*: -c"
        ) as caught:
            run.lock().acquire()
        assert "wait for it or stop it" in str(caught.value)
        holding.kill()
        holding.wait()
        assert holder(run.path) is None
        with run.lock():  # the system let go of the lock of a killed process
            assert (holder(run.path) or {})["process"] == os.getpid()
    assert holder(run.path) is None


def test_the_lock_holds_within_a_process_too(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a")
    lock = run.lock()
    with lock, pytest.raises(StorageError, match="the run is in use"):
        run.lock().acquire()
    lock.release()
    with run.lock():
        pass


def test_the_lock_cleans_up_after_killed_processes(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a")
    name = f".step-00000001.h5.{os.getpid()}-00000000.tmp"
    (run.checkpoints_path / name).write_text("")
    (tmp_path / name).write_text("")
    (run.path / "elsewhere").symlink_to(tmp_path)
    with run.lock():
        pass
    assert os.listdir(run.checkpoints_path) == []
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("note", ["", "{", "[]", '{"process": 1}', '{"process":"x","host":"","since":"","command":""}'])
def test_a_spoiled_note_of_the_holder_is_no_obstacle(tmp_path: Path, note: str) -> None:
    run = RunFolder.create(tmp_path, "a")
    with run.lock():
        (run.path / ".holder.json").write_text(note)
        with pytest.raises(StorageError, match="the run is in use; got another process"):
            run.lock().acquire()


def test_rows_and_details(tmp_path: Path) -> None:
    done, killed, busy, spoiled = (RunFolder.create(tmp_path, name) for name in ("done", "killed", "busy", "spoiled"))
    files.write_json(done.summary_path, {"run": "done-1", "epochs": 3, "stopped": "early_stopping"})
    files.write_json(done.environment_path, {"python": "3"})
    for step in (5, 10):
        checkpoint.save(done.checkpoints_path, step, {"a": np.zeros(3)}, {})
    checkpoint.path_of(done.checkpoints_path, 10).write_bytes(b"x")
    spoiled.summary_path.write_text("{")
    (tmp_path / "notes.txt").write_text("")
    with busy.lock():
        rows = {row.name: row for row in listing.rows(tmp_path)}
    assert {name: row.status for name, row in rows.items()} == {
        "busy-1": "running",
        "done-1": "early_stopping",
        "killed-1": "unfinished",
        "spoiled-1": "damaged",
    }
    assert rows["done-1"].step == 10
    assert rows["done-1"].summary["epochs"] == 3
    assert rows["killed-1"].step is None
    assert rows["done-1"].bytes > 512
    shown = listing.details(done)
    assert [(entry["step"], bool(entry["problem"])) for entry in shown["checkpoints"]] == [(5, False), (10, True)]
    assert shown["environment"] == {"python": "3"}
    assert shown["metrics"] == []
    assert killed.checkpoints() == {}
    assert listing.rows(tmp_path / "absent") == []


def test_a_file_that_a_training_removes_meanwhile_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder.create(tmp_path, "a")
    checkpoint.save(run.checkpoints_path, 5, {"a": np.zeros(3)}, {})
    whole, gone = listing.size(run.path), checkpoint.path_of(run.checkpoints_path, 5)
    found = run.checkpoints()
    walked = [*os.walk(run.path)]
    gone.unlink()
    monkeypatch.setattr(os, "walk", lambda _: walked)
    monkeypatch.setattr(RunFolder, "checkpoints", lambda _: found)
    shown = listing.details(run)
    assert shown["bytes"] < whole and shown["checkpoints"][0]["bytes"] == 0 and shown["checkpoints"][0]["problem"]


def test_differences() -> None:
    a = {"seed": 0, "layers": [{"dense": 3}, "relu"], "empty": {}, "rate": 1}
    b = {"seed": 0, "layers": [{"dense": 4}], "empty": {}, "rate": 1.0}
    assert listing.differences(a, b) == [
        {"path": "layers.0.dense", "first": 3, "second": 4},
        {"path": "layers.1", "first": "relu"},
        {"path": "rate", "first": 1, "second": 1.0},
    ]
    assert listing.differences(a, a) == []


def test_remove_deletes_the_run_and_nothing_else(tmp_path: Path) -> None:
    root, precious = tmp_path / "runs", tmp_path / "precious"
    precious.mkdir()
    (precious / "data.csv").write_text("1")
    run, other = RunFolder.create(root, "a"), RunFolder.create(root, "b")
    (run.path / "to-a-folder").symlink_to(precious)
    (run.path / "to-a-file").symlink_to(precious / "data.csv")
    (run.path / "own").mkdir()
    (run.path / "own" / "file").write_text("x")
    listing.remove(run)
    assert os.listdir(root) == [other.name]
    assert (precious / "data.csv").read_text() == "1"


def test_remove_refuses_what_is_no_run_and_what_is_in_use(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a")
    (tmp_path / "link").symlink_to(run.path)
    (tmp_path / "folder").mkdir()
    for path in (tmp_path, tmp_path / "link", tmp_path / "folder", tmp_path / "absent"):
        with pytest.raises(UsageError, match="this is not a run folder"):
            listing.remove(RunFolder(path))
    with run.lock(), pytest.raises(DltrainError, match="the run is in use"):
        listing.remove(run)
    assert run.path.is_dir()


def test_writing_the_files_of_a_run(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a")
    run.write(run.config_path, "seed: 0\n")
    run.write(run.summary_path, {"loss": 0.5})
    assert run.config_path.read_text() == "seed: 0\n"
    assert files.read_json(run.summary_path) == {"loss": 0.5}
    assert {run.metrics_path.name, run.timing_path.name} == {"metrics.jsonl", "timing.jsonl"}
