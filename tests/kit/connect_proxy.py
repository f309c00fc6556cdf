"""A web proxy for encrypted connections, all of which end at one server of the test, whatever they asked for."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Iterator


class ConnectProxy:
    """`asked` has what clients sent: (host:port, their Proxy-Authorization)."""

    def __init__(self, port: int) -> None:
        self.asked: list[tuple[str, str]] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self, port))
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="proxy")
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False


def _handler(proxy: ConnectProxy, port: int) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            target = self.rfile.readline().decode().split()[1]
            headers = {}
            while line := self.rfile.readline().decode().strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            proxy.asked.append((target, headers.get("proxy-authorization", "")))
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with socket.create_connection(("127.0.0.1", port)) as server:
                _relay(self.connection, server)

    return Handler


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Until either side ends."""
    with contextlib.suppress(OSError):
        while True:
            ready, _, _ = select.select([one, other], [], [])
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                (other if source is one else one).sendall(data)


@contextlib.contextmanager
def proxying(port: int) -> Iterator[ConnectProxy]:
    """A proxy to the server at this port of 127.0.0.1."""
    proxy = ConnectProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
