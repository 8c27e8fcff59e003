"""Saving while everything goes wrong: kills and errors at every system call, and power loss (figures R2 and R3)."""

from __future__ import annotations

import errno
import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dltrain.errors import StorageError
from dltrain.runs import files, metrics
from dltrain.training import checkpoint

CHANGES = ("open", "write", "fchmod", "fsync", "close", "replace", "unlink", "mkdir", "ftruncate")


class Killed(BaseException):
    """The process ended here."""


class Disk:
    """Stands in for the module `os`: counts state-changing calls, fails or dies at one, and records them.

    After a kill no call has an effect any more: a dead process cleans nothing up.
    """

    def __init__(self, at: int = -1, fault: Callable[[str, tuple[Any, ...]], Any] | None = None) -> None:
        self.at, self.fault = at, fault
        self.calls: list[str] = []
        self.record: list[tuple[Any, ...]] = []
        self.dead = False
        self.ignored: tuple[str, ...] = ()  # "fsync file" or "fsync folder": the broken variants
        self.descriptors: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in CHANGES:
            return real
        return lambda *arguments: self.call(name, real, arguments)

    def call(self, name: str, real: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        if self.dead:
            raise Killed
        if name == "open" and not arguments[1] & (os.O_CREAT | os.O_DIRECTORY):
            return real(*arguments)  # only to read
        here = len(self.calls)
        self.calls.append(name)
        if here == self.at and self.fault is not None:
            changed = self.fault(name, arguments)
            arguments = arguments if changed is None else changed
        result = real(*arguments)
        self.note(name, arguments, result)
        return result

    def note(self, name: str, arguments: tuple[Any, ...], result: Any) -> None:
        if name == "open":
            self.descriptors[result] = os.fspath(arguments[0])
            if arguments[1] & os.O_CREAT:
                self.record.append(("create", os.fspath(arguments[0])))
        elif name == "write":
            self.record.append(("write", self.descriptors[arguments[0]], bytes(arguments[1])[:result]))
        elif name == "fsync":
            kind = "folder" if stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else "file"
            if f"fsync {kind}" not in self.ignored:
                self.record.append((f"fsync {kind}", self.descriptors[arguments[0]]))
        elif name in ("replace", "unlink"):
            self.record.append((name, *map(os.fspath, arguments)))

    def kill(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.dead = True
        if name == "write":  # a kill in the middle of a write
            os.write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        raise Killed


def use(monkeypatch: pytest.MonkeyPatch, disk: Disk) -> Disk:
    monkeypatch.setattr(files, "os", disk)
    monkeypatch.setattr(metrics, "os", disk)
    return disk


def content(step: int) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    arrays = {"parameters/a.0.dense.kernel": np.full((5, 7), step, "f4"), "optimizer/m": np.arange(9.0) * step}
    return arrays, {"step": step, "seed": 2**127 + step}


def save(folder: Path, step: int) -> None:
    checkpoint.save(folder, step, *content(step))
    checkpoint.prune(folder, keep=2, also=[1])


def newest(folder: Path) -> int:
    """Step of the newest valid checkpoint, whose content must be what was saved."""
    found = checkpoint.newest_valid(folder)
    assert found.path is not None, found.damaged
    arrays, meta = checkpoint.load(found.path)
    expected, expected_meta = content(meta["step"])
    assert meta == expected_meta
    assert {name: array.tobytes() for name, array in arrays.items()} == {n: a.tobytes() for n, a in expected.items()}
    return int(meta["step"])


def prepared(folder: Path) -> Path:
    """A folder where the fourth save removes a file."""
    folder.mkdir()
    for step in (1, 2, 3):
        save(folder, step)
    return folder


def calls_of_a_save(tmp_path: Path) -> list[str]:
    folder = prepared(tmp_path / "count")
    with pytest.MonkeyPatch.context() as patch:
        disk = use(patch, Disk())
        save(folder, 4)
    return disk.calls


def test_a_save_makes_the_calls_of_the_rule(tmp_path: Path) -> None:
    calls = calls_of_a_save(tmp_path)
    assert calls == ["open", "write", "fchmod", "fsync", "close", "replace", "open", "fsync", "close", "unlink"]


def test_kill_at_every_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = calls_of_a_save(tmp_path)
    for at, name in enumerate(calls):
        folder = prepared(tmp_path / f"kill-{at}")
        disk = use(monkeypatch, Disk(at))
        disk.fault = disk.kill
        with pytest.raises(Killed):
            save(folder, 4)
        monkeypatch.undo()
        assert newest(folder) == (3 if at <= calls.index("replace") else 4), name
        files.clean_leftovers(folder)
        assert not [entry for entry in os.listdir(folder) if entry.endswith(".tmp")]
        save(folder, 4)
        assert newest(folder) == 4


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_error_at_every_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "close":
            os.close(arguments[0])  # the descriptor is gone even when close reports an error
        raise OSError(number, os.strerror(number))

    calls = calls_of_a_save(tmp_path)
    for at, name in enumerate(calls):
        folder = prepared(tmp_path / f"fault-{at}")
        use(monkeypatch, Disk(at, fail))
        with pytest.raises(StorageError) as caught:
            save(folder, 4)
        monkeypatch.undo()
        text = str(caught.value)
        assert caught.value.exit_code == 5
        assert str(folder) in text
        assert os.strerror(number) in text
        assert files.ADVICE[number] in text, name
        assert newest(folder) == (3 if at <= calls.index("replace") else 4), name
        assert not [entry for entry in os.listdir(folder) if entry.endswith(".tmp")]
        save(folder, 4)
        assert newest(folder) == 4


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepared(tmp_path / "short")
    disk = Disk()

    def shorten(name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        disk.at += 1  # the fault strikes at every call
        return (arguments[0], arguments[1][:1000]) if name == "write" else None

    disk.at, disk.fault = 0, shorten
    use(monkeypatch, disk)
    save(folder, 4)
    monkeypatch.undo()
    assert disk.calls.count("write") > 3
    assert newest(folder) == 4


def test_a_write_that_takes_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepared(tmp_path / "nothing")
    disk = Disk(1, lambda name, arguments: (arguments[0], b""))
    use(monkeypatch, disk)
    with pytest.raises(StorageError, match="EIO"):
        save(folder, 4)
    monkeypatch.undo()
    assert newest(folder) == 3


def test_a_failed_cleanup_does_not_hide_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepared(tmp_path / "twice")

    def full(name: str, arguments: tuple[Any, ...]) -> None:
        disk.at += 1
        if name in ("write", "unlink"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    disk = Disk(0, full)
    use(monkeypatch, disk)
    with pytest.raises(StorageError, match="ENOSPC"):
        save(folder, 4)
    monkeypatch.undo()
    assert newest(folder) == 3
    assert len(files.clean_leftovers(folder)) == 1


def recorded_run(folder: Path, ignored: tuple[str, ...] = ()) -> tuple[list[tuple[Any, ...]], list[tuple[int, int]]]:
    """Operations of six saves, and for each save (number of operations when it returned, its step)."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        disk = use(patch, Disk())
        disk.ignored = ignored
        acknowledged = []
        for step in range(1, 7):
            checkpoint.save(folder, step, *content(step))
            acknowledged.append((len(disk.record), step))
            checkpoint.prune(folder, keep=2)
    return disk.record, acknowledged


def after_power_loss(record: list[tuple[Any, ...]], rng: random.Random) -> dict[str, bytes]:
    """One content of the folder that a power loss after these operations may leave.

    What was not followed by an fsync of the file may be there in any part; a new, renamed or removed name that was
    not followed by an fsync of the folder may be there or not, each on its own.
    """
    contents: list[bytes] = []
    whole: list[bool] = []  # by number of the file: all its bytes are on the disk
    inode: dict[str, int] = {}
    sure: dict[str, int] = {}
    pending: list[tuple[str, int | None]] = []  # (name, the file it stands for from now on)
    for operation, path, *more in record:
        if operation == "create":
            inode[path] = len(contents)
            contents.append(b"")
            whole.append(False)
            pending.append((path, inode[path]))
        elif operation == "write":
            contents[inode[path]] += more[0]
            whole[inode[path]] = False
        elif operation == "fsync file":
            whole[inode[path]] = True
        elif operation == "replace":
            inode[more[0]] = inode.pop(path)
            pending += [(path, None), (more[0], inode[more[0]])]
        elif operation == "unlink":
            del inode[path]
            pending.append((path, None))
        elif operation == "fsync folder":
            sure = apply(sure, pending)
            pending = []
    on_disk = apply(sure, [change for change in pending if rng.random() < 0.5])
    return {path: contents[n] if whole[n] else torn(contents[n], rng) for path, n in on_disk.items()}


def apply(names: dict[str, int], changes: list[tuple[str, int | None]]) -> dict[str, int]:
    names = dict(names)
    for name, number in changes:
        if number is None:
            names.pop(name, None)
        else:
            names[name] = number
    return names


def torn(data: bytes, rng: random.Random) -> bytes:
    """What may be left of bytes that were written but not synchronised."""
    kind = rng.randrange(5)
    if kind == 0:
        return b""
    if kind == 1:
        return bytes(len(data))
    if kind == 2:
        return data[: rng.randrange(len(data) + 1)]
    if kind == 3:  # some pages are there, the others read as zeros
        pages = [data[at : at + 512] for at in range(0, len(data), 512)]
        return b"".join(page if rng.random() < 0.7 else bytes(len(page)) for page in pages)
    return data


def lost_acknowledged(tmp_path: Path, ignored: tuple[str, ...], states: int, seed: int = 0) -> int:
    """Of so many disk states, those where a checkpoint that was reported as saved is lost."""
    rng = random.Random(seed)
    record, acknowledged = recorded_run(tmp_path / "run", ignored)
    lost = 0
    for number in range(states):
        folder = tmp_path / f"state-{number}"
        folder.mkdir()
        done = rng.randrange(len(record) + 1)
        for path, data in after_power_loss(record[:done], rng).items():
            (folder / Path(path).name).write_bytes(data)
        promised = max((step for at, step in acknowledged if at <= done), default=0)
        found = checkpoint.newest_valid(folder)
        lost += (newest(folder) if found.path else 0) < promised
        shutil.rmtree(folder)
    return lost


def test_power_loss_loses_no_acknowledged_checkpoint(tmp_path: Path) -> None:
    assert lost_acknowledged(tmp_path, (), states=500) == 0


@pytest.mark.parametrize("missing", ["fsync file", "fsync folder"])
def test_without_an_fsync_power_loss_would_lose_one(tmp_path: Path, missing: str) -> None:
    assert lost_acknowledged(tmp_path, (missing,), states=100) > 0


def test_the_log_is_on_the_disk_before_a_checkpoint_refers_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = use(monkeypatch, Disk())
    with metrics.MetricLog(tmp_path / "metrics.jsonl") as log:
        log.append({"epoch": 1})
        offset = log.sync()
        checkpoint.save(tmp_path, 1, {}, {"offset": offset})
    names = [operation[0] for operation in disk.record]
    assert names[:4] == ["create", "fsync folder", "write", "fsync file"]
    assert disk.record[3][1].endswith("metrics.jsonl")


def test_a_log_that_cannot_be_written_ends_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    with metrics.MetricLog(path) as log:
        log.append({"epoch": 1})

        def half(name: str, arguments: tuple[Any, ...]) -> None:
            os.write(arguments[0], bytes(arguments[1])[:5])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        use(monkeypatch, Disk(0, half))
        with pytest.raises(StorageError, match=r"metrics\.jsonl: cannot write the log; got No space"):
            log.append({"epoch": 2})
        monkeypatch.undo()
        log.append({"epoch": 2})
    assert path.read_text() == '{"epoch": 1}\n{"epoch": 2}\n'
