"""Atomic writing, reading of regular files only, JSON, the metric log and the environment."""

from __future__ import annotations

import json
import math
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dltrain.errors import CorruptFileError, StorageError
from dltrain.runs import files
from dltrain.runs.environment import environment, version
from dltrain.runs.metrics import MetricLog, read_log


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o755, 0o644), (0o700, 0o600), (0o775, 0o644), (0o750, 0o640)])
def test_a_file_is_as_readable_as_its_folder(tmp_path: Path, folder_mode: int, file_mode: int) -> None:
    tmp_path.chmod(folder_mode)
    files.atomic_write(tmp_path / "a", b"x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == file_mode


def test_atomic_write_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    precious, link = tmp_path / "precious", tmp_path / "link"
    precious.write_text("old")
    link.symlink_to(precious)
    files.atomic_write(link, "new")
    assert (precious.read_text(), link.read_text(), link.is_symlink()) == ("old", "new", False)


def test_atomic_write_takes_text_and_every_kind_of_bytes(tmp_path: Path) -> None:
    for data in ("ä", "ä".encode(), bytearray("ä".encode()), memoryview("ä".encode())):
        files.atomic_write(tmp_path / "a", data)
        assert (tmp_path / "a").read_text(encoding="utf-8") == "ä"
    files.atomic_write(tmp_path / "a", b"")
    assert (tmp_path / "a").read_bytes() == b""
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["absent/a", "file/a", "folder", "n" * 300])
def test_what_cannot_be_written_says_where_and_why(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match=r": cannot write the file; got .* \(E[A-Z]+\); \w+") as caught:
        files.atomic_write(tmp_path / name, b"x")
    assert str(tmp_path / name) in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_leftovers_of_dead_processes_are_removed(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead, alive = f".a.h5.{child.pid}-0123abcd.tmp", f".a.h5.{os.getppid()}-0123abcd.tmp"
    mine, other, folder = f".a.h5.{os.getpid()}-0123abcd.tmp", "notes.tmp", f".b.{child.pid}-0123abcd.tmp"
    for name in (dead, alive, mine, other):
        (tmp_path / name).write_text("")
    (tmp_path / folder).mkdir()
    assert {path.name for path in files.clean_leftovers(tmp_path)} == {dead, mine}
    assert set(os.listdir(tmp_path)) == {alive, other, folder}


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "big").write_bytes(bytes(100))
    with pytest.raises(CorruptFileError, match="expected a regular file"):
        files.read_bytes(tmp_path / "pipe", 10)
    with pytest.raises(CorruptFileError, match="expected a regular file"):
        files.read_bytes(tmp_path, 10)
    with pytest.raises(StorageError, match="remove the link"):
        files.read_bytes(tmp_path / "link", 10)
    with pytest.raises(CorruptFileError, match="expected at most 10 bytes"):
        files.read_bytes(tmp_path / "big", 10)
    assert files.read_bytes(tmp_path / "big", 100) == bytes(100)


def test_json_of_numpy_and_of_what_is_not_finite(tmp_path: Path) -> None:
    value = {"a": np.float32(0.5), "b": np.arange(3), "c": math.inf, 4: np.array(math.nan), "d": (1, [True, None])}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == {
        "a": 0.5,
        "b": [0, 1, 2],
        "c": None,
        "4": None,
        "d": [1, [True, None]],
    }


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_malformed_json_is_one_sentence(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(CorruptFileError, match=r"a\.json: this is not JSON; got "):
        files.read_json(tmp_path / "a.json")


def test_the_log_keeps_floats_exactly(tmp_path: Path) -> None:
    values = [0.1, 1 / 3, 5e-324, float(np.float32(0.1)), 1e22]
    with MetricLog(tmp_path / "m.jsonl") as log:
        log.append({"values": values, "loss": math.nan, "größe": "ü"})
    assert read_log(tmp_path / "m.jsonl") == [{"values": values, "loss": None, "größe": "ü"}]
    assert b"NaN" not in (tmp_path / "m.jsonl").read_bytes()


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"epoch": 1}\n{"epoch": 2, "lo')
    assert read_log(path) == [{"epoch": 1}]
    with MetricLog(path) as log:
        assert log.offset == len('{"epoch": 1}\n')
        log.append({"epoch": 2})
    assert path.read_text() == '{"epoch": 1}\n{"epoch": 2}\n'
    path.write_text('{"a": "' + "x" * 200_000)
    MetricLog(path).close()
    assert path.read_bytes() == b""


def test_resuming_cuts_the_log(tmp_path: Path) -> None:
    with MetricLog(tmp_path / "m.jsonl") as log:
        log.append({"epoch": 1})
        offset = log.sync()
        log.append({"epoch": 2})
    with MetricLog(tmp_path / "m.jsonl") as log:
        log.truncate(offset)
        log.append({"epoch": 20})
        log.truncate(0)
        log.append({"epoch": 1})
        for wrong in (-1, 5, 1000):
            with pytest.raises(CorruptFileError, match="the log does not belong to this checkpoint"):
                log.truncate(wrong)
    log.close()
    assert read_log(tmp_path / "m.jsonl") == [{"epoch": 1}]


def test_a_spoiled_log_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    assert read_log(path) == []
    path.write_text('{"epoch": 1}\nxx\n{"epoch": 2}\n')
    with pytest.raises(CorruptFileError, match=r"m\.jsonl:2: this is not JSON"):
        read_log(path)
    path.write_text("1\n")
    with pytest.raises(CorruptFileError, match=r"m\.jsonl:1: this line is not a record"):
        read_log(path)


def test_a_log_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    (tmp_path / "m.jsonl").symlink_to(tmp_path / "precious")
    with pytest.raises(StorageError, match="remove the link"):
        MetricLog(tmp_path / "m.jsonl")
    with pytest.raises(StorageError, match="remove the link"):
        read_log(tmp_path / "m.jsonl")
    assert (tmp_path / "precious").read_text() == "x"


def test_environment_is_quick_and_holds_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "sesame-8675309")
    environment()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        found = environment()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.02
    assert "sesame" not in json.dumps(found)
    assert found["packages"]["numpy"] == np.__version__
    assert found["blas"][0]["threads"] >= 1
    assert version("no-such-package") is None


def test_environment_imports_nothing_heavy() -> None:
    program = (
        "import sys; from dltrain.runs.environment import environment; found = environment()\n"
        "print(sorted({'numpy', 'numba', 'h5py'} & set(sys.modules)), found['packages']['numpy'] is not None)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == "[] True\n"
