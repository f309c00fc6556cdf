"""A web server that misbehaves as it is told: refuses, hangs, breaks off, lies, redirects. For clients of registries.

It records what it was asked, so that a test can prove what was not sent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    path: str  # without the query
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclasses.dataclass(frozen=True)
class Reply:
    """`cut` ends the connection after so many bytes of the body; `hang` says nothing until the server closes.

    `trickle` sends the body byte by byte, waiting so many seconds between them.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cut: int | None = None
    hang: bool = False
    trickle: float = 0.0


Answering = Reply | Callable[[Request], Reply]


class ScriptedServer:
    """`on("GET", "/v2/a/tags/list", Reply(...), ...)`: the replies in turn, the last one for ever. Else 404."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self._replies: dict[tuple[str, str], list[Answering]] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        server = _Server(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self._server = server
        self.secure = tls is not None
        self.port: int = server.server_address[1]
        self._thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="scripted server")
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}"

    def on(self, method: str, path: str, *replies: Answering) -> None:
        self._replies[method, path] = list(replies)

    def asked(self, method: str, path: str) -> list[Request]:
        return [one for one in self.requests if (one.method, one.path) == (method, path)]

    def close(self) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()  # joins the threads of its connections
        self._thread.join()

    def reply_to(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            known = self._replies.get((request.method, request.path), [Reply(404)])
            answer = known.pop(0) if len(known) > 1 else known[0]
        return answer(request) if callable(answer) else answer

    def wait(self, seconds: float | None = None) -> bool:
        """Whether the server ends meanwhile."""
        return self._ending.wait(seconds)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, address: tuple[str, int], handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what these tests are about."""

    def server_close(self) -> None:
        for connection in list(self._open):  # kept alive by a client that has not closed its session
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        super().server_close()


def _handler(server: ScriptedServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = server.reply_to(Request(self.command, path, query, headers, body))
            if reply.hang:
                server.wait()
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in reply.headers:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if reply.trickle:
                for byte in reply.body:
                    self.wfile.write(bytes([byte]))
                    if server.wait(reply.trickle):
                        break
                return
            self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            self.close_connection = self.close_connection or reply.cut is not None

        do_GET = do_HEAD = do_POST = do_PUT = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Not on the test's output."""

    return Handler


@contextlib.contextmanager
def scripted(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    server = ScriptedServer(tls)
    try:
        yield server
    finally:
        server.close()


def certificate(folder: Path, *names: str) -> tuple[Path, ssl.SSLContext]:
    """A new authority's certificate (PEM file), and a server's context with it.

    It is also the certificate of 127.0.0.1, localhost and `names` themselves.
    """
    made, key = folder / "authority.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=test"),
            *("-addext", ",".join(["subjectAltName=IP:127.0.0.1", *(f"DNS:{name}" for name in ("localhost", *names))])),
            *("-keyout", str(key), "-out", str(made)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context
