"""Serves the pages of a folder of runs to this machine alone; nothing can be changed through it.

Every request must come from this machine to this name (Host), from no other site (Origin, Sec-Fetch-Site), and know the
token that is a part of every address, since others may use the machine too.
"""

from __future__ import annotations

import errno
import io
import secrets
import socket
import time
from collections import deque
from contextlib import suppress
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from dltrain.errors import DltrainError, UsageError
from dltrain.pages.live import Site
from dltrain.runs.files import explained

HERE = "127.0.0.1"
LONGEST = 16_384  # bytes of the head of a request
SECONDS = 5.0  # in which a request must be here, and an answer be taken
MOST = 64  # connections at a time; beyond, the oldest is let go
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Connection": "close",
}


class Server(ThreadingHTTPServer):
    """Answers until it is told to stop.

    Parameters:
        root: folder of the runs
        port: where; 0 takes a free one

    Raises:
        UsageError: when another program has the port.
        StorageError: when the system refuses otherwise.
    """

    daemon_threads, request_queue_size, block_on_close = True, MOST, False

    def __init__(self, root: Path, port: int) -> None:
        self.site, self.token = Site(root), secrets.token_urlsafe(16)
        self.connections: deque[socket.socket] = deque()
        self.guard = Lock()
        with explained(f"{HERE}:{port}", "listen"):
            try:
                super().__init__((HERE, port), Handler)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                hint = "`--port 0` takes a free one"
                raise UsageError("another program has this port", where=f"--port {port}", hint=hint) from error
        self.hosts = {f"{name}:{self.server_port}" for name in (HERE, "localhost")}

    @property
    def url(self) -> str:
        """Where the list of all runs is."""
        return f"http://{HERE}:{self.server_port}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin to answer; where there are too many connections, the oldest is let go."""
        with self.guard:
            self.connections.append(request)
            oldest = self.connections.popleft() if len(self.connections) > MOST else None
        if oldest is not None:
            with suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self.guard, suppress(ValueError):
            self.connections.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever broke a connection does not read it."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def setup(self) -> None:
        """Read the head of the request whole, in bounded time and size, before anything looks at it."""
        super().setup()
        self.rfile = io.BufferedReader(io.BytesIO(head_of(self.connection)))
        self.connection.settimeout(SECONDS)

    def do_GET(self) -> None:
        """Answer with a page."""
        refused = self.refusal()
        if refused is not None:
            self.answer(refused, refused.phrase)
            return
        try:
            text = self.server.site.page(self.path[len(self.server.token) + 2 :])
        except DltrainError as error:  # a run that was removed in this moment, or is damaged
            self.answer(HTTPStatus.INTERNAL_SERVER_ERROR, " ".join(str(error).split()))
            return
        if text is None:
            self.answer(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.phrase)
        else:
            self.answer(HTTPStatus.OK, text, "text/html")

    do_HEAD = do_GET

    def refuse(self) -> None:
        """Refuse what would change something."""
        self.answer(HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.METHOD_NOT_ALLOWED.phrase)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = refuse

    def refusal(self) -> HTTPStatus | None:
        """Why a request is not answered; None where it is."""
        head = self.headers
        hosts, origins = head.get_all("Host", []), head.get_all("Origin", [])
        sites = head.get_all("Sec-Fetch-Site", [])
        if len(hosts) != 1 or hosts[0] not in self.server.hosts:
            return HTTPStatus.MISDIRECTED_REQUEST
        if any(origin not in {f"http://{host}" for host in self.server.hosts} for origin in origins):
            return HTTPStatus.FORBIDDEN
        if any(site not in ("same-origin", "none") for site in sites):
            return HTTPStatus.FORBIDDEN
        if "Transfer-Encoding" in head or head.get("Content-Length", "0") != "0":
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        known = f"/{self.server.token}/".encode()
        asked = self.path.encode("utf-8", "replace")
        return None if compare_digest(asked[: len(known)], known) else HTTPStatus.NOT_FOUND

    def answer(self, status: HTTPStatus, text: str, kind: str = "text/plain") -> None:
        """Send a whole answer."""
        content = text.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": f"{kind}; charset=utf-8"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no request, without repeating any of it."""
        self.command = getattr(self, "command", None) or "GET"
        self.answer(HTTPStatus(code), HTTPStatus(code).phrase)

    def version_string(self) -> str:
        """What the server is called."""
        return "dltrain"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests may say anything."""


def head_of(connection: socket.socket) -> bytes:
    """The head of a request up to its empty line; nothing where it is too long or too slow."""
    until, head = time.monotonic() + SECONDS, b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        left = until - time.monotonic()
        if left <= 0 or len(head) > LONGEST:
            return b""
        connection.settimeout(left)
        try:
            some = connection.recv(4096)
        except OSError:
            return b""
        if not some:
            return b""
        head += some
    return head if len(head) <= LONGEST else b""
