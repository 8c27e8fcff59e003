"""Sweeps that several machines share: turns and leases in a storage, workers that die or come back, a real server."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_runs import iris
from sweep_kills import results

from dltrain import api
from dltrain.config import dump
from dltrain.config import from_mapping as experiment_of
from dltrain.errors import StorageError, UsageError
from dltrain.sweeps.folder import SweepFolder
from dltrain.sweeps.joining import joined
from dltrain.sweeps.leading import table
from dltrain.sweeps.settings import from_mapping
from dltrain.sweeps.shared import SharedJournal
from dltrain.training.goal import Goal

storage = pytest.importorskip("dltrain.sweeps.storage", exc_type=ImportError)
SPACE = {"optimizer.adam.learning_rate": {"log_uniform": [1e-4, 0.1]}, "train.batch_size": {"choice": [15, 30]}}
GONE = 0.4


@pytest.fixture
def two(tmp_path: Path) -> tuple[SharedJournal, SharedJournal]:
    """Two machines with the same sweep, of which each takes the other for gone after a moment."""
    url = f"file://{tmp_path}"
    storage.Storage.create(url, "sweep", {})
    one, other = (SharedJournal(storage.Storage(url), gone=GONE) for _ in range(2))
    return one, other


def told(journal: SharedJournal) -> list[Any]:
    return [record["text"] for record in journal.read()]


def test_all_machines_read_the_same_in_the_same_order(two: tuple[SharedJournal, SharedJournal]) -> None:
    one, other = two
    for place in range(3):
        for journal in two:
            with journal.writing() as append:
                append({"event": "told", "text": place})
    assert told(one) == told(other) == [0, 0, 1, 1, 2, 2] and told(one) == []


def test_a_machine_waits_for_its_turn_and_ends_that_of_one_that_is_gone(
    two: tuple[SharedJournal, SharedJournal],
) -> None:
    one, other = two
    with pytest.raises(StorageError, match="held up"), one.writing() as append:
        append({"event": "told", "text": "in time"})
        begun = time.monotonic()
        with other.writing() as others:  # waits until the first one counts as gone
            others({"event": "told", "text": "next"})
        assert time.monotonic() - begun > GONE
        append({"event": "told", "text": "too late"})
    assert told(one) == told(other) == ["in time", "next"]


def test_a_lease_is_held_while_its_holder_lives(two: tuple[SharedJournal, SharedJournal]) -> None:
    one, other = two
    with one.writing():
        lease = one.lease(1)
    assert lease is not None
    for _ in range(2):
        time.sleep(GONE)  # the first one shows that it lives
        with other.writing():
            assert other.lease(1) is None
    lease.release()
    with other.writing():
        assert other.lease(1) is not None and other.lease(2) is not None


def test_what_a_machine_tells_of_a_trial_that_it_has_lost_does_not_count(
    two: tuple[SharedJournal, SharedJournal], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    monkeypatch.setattr(SharedJournal, "_beat", lambda self: None)  # as if the processes stood still
    with one.writing():
        assert one.lease(1)
    other._look()
    time.sleep(GONE + 0.1)
    with other.writing() as append:
        assert other.lease(1)
        append({"event": "told", "trial": 1, "text": "mine"})
    with one.writing() as append:
        append({"event": "told", "trial": 1, "text": "late"})
        append({"event": "told", "trial": 2, "text": "nobody's"})
    assert told(one) == told(other) == ["mine", "nobody's"]


def test_a_storage_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dltrain.cli.main import run

    for url in (f"file://{tmp_path}/none", "postgresql+psycopg://anna:secret@127.0.0.1:9/x", "mysql+none://host/x"):
        assert run(["sweep", "worker", url]) in (2, 5)
        said = capsys.readouterr().err
        assert said.startswith(f"dltrain: {url[:6]}") and "secret" not in said and "internal error" not in said
    storage.Storage.create(f"file://{tmp_path}", "a", {})
    with pytest.raises(UsageError, match="in the storage already"):
        storage.Storage.create(f"file://{tmp_path}", "a", {})
    with pytest.raises(UsageError, match="there are a"):
        storage.Storage(f"file://{tmp_path}", "b")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://anna:secret@127.0.0.1:9/x",
        "postgresql+psycopg://anna:sec#ret@127.0.0.1:9/x",
        "postgresql+psycopg://127.0.0.1:9/x?user=anna&password=secret",
        "redis://:secret@127.0.0.1:9",
        "redis://127.0.0.1:9?db=0&PASSWORD=secret",
        "mssql+pyodbc:///?odbc_connect=UID%3Danna%3BPWD%3Dsecret",
    ],
)
def test_a_password_in_a_url_is_written_nowhere(url: str, tmp_path: Path) -> None:
    given = {"config": iris(), "space": SPACE, "trials": 1}
    for begin in (lambda: api.sweep(given, runs=tmp_path, storage=url), lambda: joined(url, tmp_path)):
        with pytest.raises(UsageError, match="PGPASSFILE") as caught:
            begin()
        assert "secret" not in str(caught.value) and "ret@" not in str(caught.value)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://anna@host:9/x?passfile=/p", "file:///shared/a:b@c", "redis://h:9"]
)
def test_a_url_without_a_password_is_let_be(url: str) -> None:
    storage.refuse_password(url)


def test_a_sweep_goes_on_in_the_storage_it_was_started_in(tmp_path: Path) -> None:
    given = {"config": iris(), "space": SPACE, "name": "small"}
    parts = from_mapping({**given, "config": "…"}), experiment_of(iris()), Goal("validation.loss", False)
    folder, url = SweepFolder.create(tmp_path, *parts), f"file://{tmp_path}"
    with pytest.raises(UsageError, match="small-1: the sweep was started without this storage.*leave --storage out"):
        api.sweep(given, runs=tmp_path, resume=True, storage=url)
    assert not len(folder.trials())
    SweepFolder.create(tmp_path, *parts, storage={"url": url, "name": "small"}).check_storage(url)


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server that runs for one test."""
    if shutil.which("initdb") is None or shutil.which("postgres") is None:
        pytest.skip("there is no PostgreSQL server: `initdb` and `postgres` are not among the programs")
    pytest.importorskip("psycopg", reason="the package psycopg is not installed")
    import os

    user = {"user": "postgres"} if os.getuid() == 0 else {}  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    try:
        if user:
            shutil.chown(folder, "postgres")
        options: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **user}
        made = ["initdb", "-D", f"{folder}/data", "-U", "dltrain", "--auth=trust", "--no-sync"]
        subprocess.run(made, check=True, **options)
        serve = ["postgres", "-D", f"{folder}/data", "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
        with subprocess.Popen(serve, **options) as server:
            try:
                wait_for(lambda: any(folder.glob(".s.PGSQL.*")))
                yield f"postgresql+psycopg://dltrain@/postgres?host={folder}"
            finally:
                server.send_signal(signal.SIGINT)  # at once, with clients that are still connected
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def shared_folder(tmp_path: Path) -> str:
    """The URL of a folder."""
    (tmp_path / "shared").mkdir()
    return f"file://{tmp_path}/shared"


def wait_for(what: Any) -> None:
    """Wait until something is true."""
    end = time.monotonic() + 120
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def started(*words: str, folder: Path) -> subprocess.Popen[bytes]:
    """A `dltrain sweep` in a folder of its own, as on another machine."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-m", "dltrain", "sweep", *words, "--threads", "1"], cwd=folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["shared_folder", "postgresql"])
def test_two_machines_make_the_table_of_one(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(kind)
    sweep = {"config": iris(train__epochs=20), "space": SPACE, "trials": 12, "name": "small"}
    first = tmp_path / "first"
    first.mkdir()
    (first / "iris.yaml").write_text(dump(sweep["config"]))
    (first / "sweep.yaml").write_text(dump({**sweep, "config": "iris.yaml"}))
    leader = started("sweep.yaml", "--storage", url, folder=first)
    wait_for(lambda: list(first.glob("runs/*/.dltrain-sweep.json")) or leader.poll() is not None)
    helper = started("worker", url, folder=tmp_path / "second")
    assert leader.wait(200) == 0 == helper.wait(200)
    tables = [table(SweepFolder.open(next((tmp_path / name).glob("runs/*")))) for name in ("first", "second")]
    alone = api.sweep(sweep, runs=tmp_path / "alone")
    assert results(tables[0]) == results(tables[1]) == results(alone) and len(alone["trials"]) == 12
    runs = [{path.name for path in (tmp_path / name).glob("runs/*/trials/*")} for name in ("first", "second")]
    assert len(runs[0] | runs[1]) == len(runs[0]) + len(runs[1]) == 12 and all(runs)  # each trial on one of them, once
