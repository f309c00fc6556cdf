"""Listening sockets to a successor, over a connected unix socket. The successor is a process of the same user.

The order: the old supervisor sends, the new one adopts them and answers the user's next connection; then the old one
calls `Forwarder.stop_accepting` and lives until its established connections have ended. Nothing is refused between.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping, Sequence

Listener = tuple[int, int, socket.socket]  # host port, container port, listening socket

_PER_MESSAGE = 100  # descriptors; the kernel allows 253
_LENGTH = struct.Struct(">I")
_MOST = 1 << 20


def send_listeners(connection: socket.socket, listeners: Mapping[str, Sequence[Listener]]) -> None:
    """Blocks. {environment key: what `Forwarder.export_listeners` gave}. The sender's own stay open."""
    rows = [(key, host_port, port, one) for key, found in listeners.items() for host_port, port, one in found]
    for start in range(0, len(rows), _PER_MESSAGE):
        batch = rows[start : start + _PER_MESSAGE]
        text = json.dumps([row[:3] for row in batch]).encode()
        socket.send_fds(connection, [_LENGTH.pack(len(text))], [row[3].fileno() for row in batch])
        connection.sendall(text)
    connection.sendall(_LENGTH.pack(0))


def receive_listeners(connection: socket.socket) -> dict[str, list[Listener]]:
    """Blocks. Raises ConnectionError when the sender goes away or its message makes no sense; nothing is left open."""
    found: dict[str, list[Listener]] = {}
    opened: list[socket.socket] = []
    try:
        while True:
            head, descriptors, _, _ = socket.recv_fds(connection, _LENGTH.size, _PER_MESSAGE)
            batch = [socket.socket(fileno=descriptor) for descriptor in descriptors]
            opened += batch
            for one in batch:
                one.set_inheritable(False)
            if len(head) < _LENGTH.size:
                head += _exactly(connection, _LENGTH.size - len(head))
            (length,) = _LENGTH.unpack(head)
            if not length:
                return found
            if length > _MOST:
                raise ConnectionError("the listeners' list is too long")
            rows = json.loads(_exactly(connection, length))
            if len(rows) != len(batch):
                raise ConnectionError("not every listener arrived")
            for (key, host_port, port), one in zip(rows, batch, strict=True):
                found.setdefault(str(key), []).append((int(host_port), int(port), one))
    except (OSError, ValueError, TypeError) as error:
        for one in opened:
            one.close()
        raise ConnectionError(f"the hand-over failed: {error}") from error


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("the sender has gone")
        data += piece
    return data
