"""`dltrain data fetch`, against servers on this machine: good, corrupt, cut, too long, silent and absent ones."""

from __future__ import annotations

import builtins
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dltrain.cli.main import main
from dltrain.data import collection as known
from dltrain.data.collection import COLLECTIONS, Collection, RemoteFile
from dltrain.data.fetching import fetch
from dltrain.data.folders import DataFolders, PathError
from dltrain.errors import StorageError, UsageError

pytest.importorskip("pooch")

CONTENT = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Mirror(BaseHTTPRequestHandler):
    """Answers as the first part of the path says."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        way = self.path.split("/")[1]
        body = {
            "good": CONTENT,
            "corrupt": CONTENT[:-1] + b"x",
            "short": CONTENT[:100],
            "long": CONTENT + bytes(4 << 20),
            "cut": CONTENT,
        }.get(way)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if body is not None:
            with suppress(OSError):  # the client may have hung up
                self.wfile.write(body[: len(body) // 2] if way == "cut" else body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(Mirror, "asked", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def with_mirrors(monkeypatch: pytest.MonkeyPatch, *urls: str, files: int = 1) -> None:
    """Put a data set `small` into the table."""
    remote = tuple(
        RemoteFile(f"f{k}.bin", len(CONTENT), DIGEST, tuple(f"{url}/f{k}.bin" for url in urls)) for k in range(files)
    )
    monkeypatch.setitem(COLLECTIONS, "small", Collection("small", "free", remote, "source: {csv: small/f0.bin}"))


def code_of(*words: str) -> int:
    """The exit code of `dltrain data fetch`."""
    with pytest.raises(SystemExit) as caught:
        main(["data", "fetch", *words])
    return int(str(caught.value.code))


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_set_is_fetched_once(mirror: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_mirrors(monkeypatch, f"{mirror}/good", files=2)
    told: list[tuple[str, int, int]] = []
    paths = fetch("small", tmp_path, lambda *report: told.append(report))
    assert [path.read_bytes() for path in paths] == [CONTENT, CONTENT]
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == ["f0.bin", "f1.bin"]
    assert told[-1] == ("f1.bin", len(CONTENT), len(CONTENT)) and all(done <= total for _, done, total in told)
    fetch("small", tmp_path)
    assert len(Mirror.asked) == 2
    paths[1].write_bytes(CONTENT[:-1] + b"?")
    fetch("small", tmp_path)
    assert Mirror.asked[2:] == ["/good/f1.bin"] and paths[1].read_bytes() == CONTENT


FAULTS = {
    "corrupt": "wrong checksum",
    "short": "wrong checksum",
    "long": "more bytes than expected",
    "cut": "the answer broke off|wrong checksum|no connection",
    "missing": "answer 404",
}


@pytest.mark.parametrize("way", FAULTS)
def test_a_bad_mirror_is_passed_over(way: str, mirror: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_mirrors(monkeypatch, f"{mirror}/{way}", f"{mirror}/good")
    assert fetch("small", tmp_path)[0].read_bytes() == CONTENT
    assert Mirror.asked == [f"/{way}/f0.bin", "/good/f0.bin"]


@pytest.mark.parametrize("way", FAULTS)
def test_nothing_wrong_is_ever_left(way: str, mirror: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_mirrors(monkeypatch, f"{mirror}/{way}")
    with pytest.raises(StorageError, match=FAULTS[way]) as caught:
        fetch("small", tmp_path)
    assert caught.value.exit_code == 5 and "\n" not in str(caught.value)
    assert list((tmp_path / "small").iterdir()) == []


def test_without_a_network_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_mirrors(monkeypatch, closed_port(), closed_port())
    monkeypatch.chdir(tmp_path)
    assert code_of("small") == 5
    out, err = capsys.readouterr()
    assert not out and err.count("no connection") == 2 and "check the network" in err and err.count("\n") == 1


def test_the_command_says_what_to_write(
    mirror: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_mirrors(monkeypatch, f"{mirror}/good")
    monkeypatch.chdir(tmp_path)
    assert code_of("small") == 0
    out, err = capsys.readouterr()
    assert "data/small (free)" in out and "source: {csv: small/f0.bin}" in out and "f0.bin" in err
    assert (tmp_path / "data" / "small" / "f0.bin").read_bytes() == CONTENT
    assert code_of("--list") == 0
    assert "fashion-mnist" in capsys.readouterr().out
    assert code_of("mnits") == 2
    assert "mnist" in capsys.readouterr().err
    assert code_of() == 2
    assert "--list" in capsys.readouterr().err


def test_an_absent_pooch_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "pooch":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StorageError, match=r'pip install "dltrain\[fetch\]"'):
        fetch("mnist", tmp_path)


def test_a_disk_fault_is_no_fault_of_the_mirror(mirror: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_mirrors(monkeypatch, f"{mirror}/good", f"{mirror}/good")

    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(28, "No space left on device")

    import pooch

    monkeypatch.setattr(pooch, "retrieve", full)
    with pytest.raises(StorageError, match="ENOSPC"):
        fetch("small", tmp_path)


def test_the_table_is_whole() -> None:
    for name, collection in COLLECTIONS.items():
        assert collection.config.startswith("source:") and f"{name}/" in collection.config
        for file in collection.files:
            assert len(file.sha256) == 64 and int(file.sha256, 16) and file.size > 0 and len(set(file.urls)) >= 2
            assert all(url.endswith(file.name) for url in file.urls)
    with pytest.raises(UsageError, match="did you mean 'titanic'"):
        known.collection("titanc")
    assert replace(COLLECTIONS["mnist"], summary="").files


def test_a_config_of_a_public_set_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLTRAIN_DATA", raising=False)
    for name in COLLECTIONS:
        with pytest.raises(PathError, match=f"no such data file; .*`dltrain data fetch {name}` brings it into ./data"):
            DataFolders(tmp_path).find(f"{name}/a.gz")
