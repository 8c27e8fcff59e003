"""`dltrain ui`: pages that keep up with their runs, and 120 hostile requests that get nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any

import page_runs
import pytest
from page_reader import PageReader
from small_runs import iris

from dltrain.cli.main import run as command
from dltrain.pages.server import LONGEST, MOST, Server

SECRET = "a-secret-outside"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs, beside a secret."""
    folder = tmp_path_factory.mktemp("ui")
    (folder / "secret.txt").write_text(SECRET)
    run = page_runs.trained(iris(), folder / "runs")
    shutil.copytree(run, folder / "runs" / "<b onclick=a> &?#%2e")
    (folder / "runs" / "linked").symlink_to(folder)
    return folder / "runs"


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    """A server of that folder."""
    made = Server(root, 0)
    Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def raw(server: Server, request: bytes) -> bytes:
    """All that comes back for the bytes of a request."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        with suppress(ConnectionResetError):
            while some := connection.recv(65536):
                answer += some
        return answer


def asked(server: Server, path: str, method: str = "GET", host: str | None = None, *more: str) -> bytes:
    """A request, whose lines may be anything."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{server.server_port}'}", *more]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def status(answer: bytes) -> int:
    """Of an answer; 0 where there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0


def fetched(server: Server, path: str) -> PageReader:
    """A page as it is read."""
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", f"/{server.token}/{path}")
    answer = connection.getresponse()
    assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return PageReader(answer.read().decode(), served=True)


TRAVERSALS = [
    *("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "%252e%252e%252f", "..\\", "..%5c", "....//", "..;/", "%c0%ae%c0%ae/"),
    *(".%2e/", "%u002e%u002e/", "..%00/", "..%0d%0a/", "/../", "//", "./", "%2f", "..%ef%bc%8f", "..%c1%9c"),
]
TARGETS = ["secret.txt", "", "etc/passwd"]
ELSEWHERE = [
    "example.com",
    "127.0.0.1",
    "127.0.0.1:1",
    "evil.com:{port}",
    "localhost.evil.com:{port}",
    "[::1]:{port}",
    "",
]
METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G\tET"]
ORIGINS = ["http://evil.com", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "file://", "http://localhost"]


def hostile(server: Server) -> dict[str, bytes]:
    """{what it tries: the bytes of a request}."""
    port, token, run = server.server_port, server.token, "iris-1"
    found = {}
    for number, up in enumerate(TRAVERSALS):
        for target in TARGETS:
            found[f"up {number} {target}"] = asked(server, f"/{token}/{up}{target}")
        found[f"in a run {number}"] = asked(server, f"/{token}/{run}/{up}config.yaml")
    for host in ELSEWHERE:
        found[f"host {host}"] = asked(server, f"/{token}/", "GET", host.format(port=port) or " ")
    for method in METHODS:
        found[f"method {method}"] = asked(server, f"/{token}/", method)
    for origin in ORIGINS:
        found[f"origin {origin}"] = asked(server, f"/{token}/", "GET", None, f"Origin: {origin.format(port=port)}")
    for site in ("cross-site", "same-site"):
        found[f"site {site}"] = asked(server, f"/{token}/", "GET", None, f"Sec-Fetch-Site: {site}")
    local = f"Host: 127.0.0.1:{port}"
    found |= {
        "no token": asked(server, "/"),
        "another token": asked(server, f"/{'a' * len(token)}/"),
        "a part of the token": asked(server, f"/{token[:-1]}/"),
        "a query": asked(server, f"/{token}/?a=/etc/passwd"),
        "a linked folder": asked(server, f"/{token}/linked/"),
        "a file of a run": asked(server, f"/{token}/{run}/config.yaml"),
        "a whole address": asked(server, f"http://127.0.0.1:{port}/{token}/"),
        "two hosts": asked(server, f"/{token}/", "GET", None, "Host: evil.com"),
        "no host": f"GET /{token}/ HTTP/1.1\r\n\r\n".encode(),
        "a body": asked(server, f"/{token}/", "GET", None, "Content-Length: 5") + b"hello",
        "chunks": asked(server, f"/{token}/", "GET", None, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
        "a huge body": asked(server, f"/{token}/", "POST", None, "Content-Length: 99999999999") + b"a" * 100_000,
        "a huge address": asked(server, f"/{token}/{'a' * 2 * LONGEST}"),
        "a huge header": asked(server, f"/{token}/", "GET", None, f"A: {'a' * 2 * LONGEST}"),
        "many headers": asked(server, f"/{token}/", "GET", None, *["A: b"] * 200),
        "no request": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "an old version": f"GET /{token}/\r\n\r\n".encode(),
        "a wrong version": f"GET /{token}/ HTTP/9.9\r\n{local}\r\n\r\n".encode(),
        "nothing": b"\r\n\r\n",
    }
    return found


def contents(folder: Path) -> str:
    """A hash of all that lies in a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
    return found.hexdigest()


def test_the_pages(server: Server) -> None:
    listed = fetched(server, "")
    evil = "%3Cb%20onclick%3Da%3E%20%26%3F%23%252e/"
    assert {"iris-1", "<b onclick=a> &?#%2e"} <= {*listed.said} and not listed.faults
    assert listed.links == ["#content", evil, "iris-1/"]
    for address in listed.links[1:]:
        page = fetched(server, address)
        assert {"Result", "Curves", "Environment and cost"} <= {*page.sections}
        assert not page.faults and page.links == ["#content", "../"]
    head = raw(server, asked(server, f"/{server.token}/", "HEAD"))
    assert status(head) == 200 and head.endswith(b"\r\n\r\n")


def test_hostile_requests_get_nothing(server: Server, root: Path) -> None:
    requests, before = hostile(server), contents(root.parent)
    assert len(requests) >= 120
    for what, request in requests.items():
        answer = raw(server, request)
        assert status(answer) in (0, 400, 403, 404, 405, 413, 414, 421, 431, 501, 505), (what, answer[:200])
        body = answer.partition(b"\r\n\r\n")[2]
        assert len(body) < 100 and SECRET.encode() not in answer and b"iris" not in answer, what
        assert server.token.encode() not in answer and b"Traceback" not in answer, what
    assert contents(root.parent) == before, "something was written"
    assert "iris-1" in fetched(server, "").said, "it still answers"


def test_slow_ones_do_not_keep_others_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, started = 3.0, time.monotonic()
    monkeypatch.setattr("dltrain.pages.server.SECONDS", seconds)
    with ExitStack() as stack:
        place = ("127.0.0.1", server.server_port)
        slow = [stack.enter_context(socket.create_connection(place, timeout=10)) for _ in range(2 * MOST)]
        for connection in slow:
            with suppress(OSError):
                connection.sendall(b"GET /")
        assert "iris-1" in fetched(server, "").said
        assert time.monotonic() - started < seconds, "it waited for the slow ones"
        while server.connections:
            assert time.monotonic() - started < 3 * seconds, "one byte now and then is a way to stay"
            time.sleep(0.2)
            for connection in slow[-4:]:
                with suppress(OSError):
                    connection.sendall(b"a")


def test_a_page_follows_a_run(server: Server, root: Path) -> None:
    growing = root / "growing-1"
    shutil.copytree(root / "iris-1", growing)
    (growing / "summary.json").unlink()
    assert "unfinished" in fetched(server, "growing-1/").said
    with (growing / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"epoch": 4, "step": 28, "train": {"loss": 0.123456}}) + "\n")
        file.write('{"epoch": 5, "ste')  # it is being written
    page = fetched(server, "growing-1/")
    assert "0.1235" in page.said and "5" not in page.said[:40]
    (growing / "metrics.jsonl").write_text("no JSON\n")
    page = fetched(server, "growing-1/")
    assert "Result" not in page.sections and "metrics.jsonl:1" in page.text  # it says nothing wrong, but what is
    assert "damaged" in fetched(server, "").said
    shutil.rmtree(growing)


def test_a_name_that_is_no_text_and_a_number_that_no_float_holds(server: Server, root: Path) -> None:
    odd = root / os.fsdecode(b"odd-\xff")
    shutil.copytree(root / "iris-1", odd)
    (odd / "summary.json").write_text(f'{{"stopped": "epochs", "best": {{"value": {"9" * 400}}}}}')
    listed = fetched(server, "")
    assert not listed.faults and {"iris-1", "odd-\\udcff"} <= {*listed.said}
    assert "odd-%FF/" in listed.links and "Result" in fetched(server, "odd-%FF/").sections
    shutil.rmtree(odd)


def test_a_browser_keeps_up_and_keeps_its_place(browser: Any, server: Server, root: Path) -> None:
    growing, told = root / "growing-2", []
    shutil.copytree(root / "iris-1", growing)
    page = browser.new_page()
    page.on("console", lambda message: told.append(message.text))
    page.on("request", lambda asked: told.append(asked.url))
    page.goto(f"http://127.0.0.1:{server.server_port}/{server.token}/")
    page.get_by_role("link", name="growing-2").click()
    page.locator(".chart").first.press("ArrowRight")
    page.locator(".chart").first.press("ArrowRight")
    chosen = page.locator("figure output").first.inner_text()
    page.locator("summary").first.press("Enter")
    scrolled = "[...document.querySelectorAll('.wide, .chart')].map(one => [one.scrollLeft, one.scrollTop]).join()"
    page.set_viewport_size({"width": 320, "height": 500})  # so narrow that charts are wider
    page.evaluate("document.querySelectorAll('.wide, .chart').forEach(one => one.scrollTo(30, 50))")
    before = page.evaluate(scrolled)
    assert "30,0" in before and ",50" in before and chosen
    with (growing / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"epoch": 4, "step": 28, "train": {"loss": 0.123456}}) + "\n")
    page.get_by_role("cell", name="0.1235").first.wait_for(timeout=15_000)
    assert page.locator("details").first.get_attribute("open") is not None, "what was open is open still"
    assert page.evaluate("document.activeElement.localName") == "summary"
    assert page.evaluate(scrolled) == before
    assert page.locator("figure output").first.inner_text() == chosen and page.locator(".chart .on").count() == 1
    assert {*told} == {server.url, f"{server.url}growing-2/"}
    page.close()
    shutil.rmtree(growing)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(root: Path, number: int) -> None:
    arguments = [sys.executable, "-m", "dltrain", "ui", "--runs", str(root), "--port", "0", "--json"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert told["runs"] == str(root) and told["url"].startswith("http://127.0.0.1:")
    process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + number and "Traceback" not in said


def test_a_port_that_is_taken(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["ui", "--port", str(server.server_port)]) == 2
    said = capsys.readouterr().err
    assert f"--port {server.server_port}: another program has this port" in said and "`--port 0`" in said


def test_it_listens_to_this_machine_alone(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert len(server.token) >= 20 and server.token != Server.__name__
    other: Any = Server(Path(os.devnull).parent / "nothing", 0)
    assert other.token != server.token
    other.server_close()
