"""The successor's half of an upgrade, before its loop runs: blocking, and only what one exchange needs.

Nothing of the predecessor's is touched before this process holds the lock and listens. One that does not answer, or
is too old to know the verb, is asked to stop. The other half is devenv.supervisor.handover.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from typing import Any

from devenv.api.messages import PROTOCOL
from devenv.forward.handover import Listener, receive_listeners
from devenv.version import VERSION

_PATIENCE = 5.0  # seconds for each answer
_RETRY = 0.05  # seconds


class AlreadySucceeded(Exception):
    """The supervisor that listens is no older than we are."""


class Legacy:
    """What a predecessor left. `listeners`: {environment key: its listening sockets}."""

    def __init__(self, connection: socket.socket | None, listeners: dict[str, list[Listener]]) -> None:
        self._connection = connection
        self.listeners = listeners

    def take(self) -> None:
        """Says that we listen now; returns when the predecessor has stopped, so that no one record has two writers."""
        if self._connection is None:
            return
        with self._connection as connection, contextlib.suppress(OSError):
            connection.sendall(b"taken\n")
            _line(connection)

    def refuse(self) -> None:
        """The predecessor goes on as if nothing had been asked."""
        if self._connection is not None:
            self._connection.close()
        for found in self.listeners.values():
            for _, _, opened in found:
                opened.close()


def ask(path: str) -> Legacy:
    """The listeners of the supervisor at `path`; none when nobody listens there or it can only be stopped.

    Raises AlreadySucceeded.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(path)
            connection.sendall(_request("hand-over", {"version": VERSION}))
            answer = _line(connection)
            if answer.get("t") == "hand-over":
                return Legacy(connection, receive_listeners(connection))
        except OSError:
            answer = {}
        connection.close()
        if answer.get("t") == "result":
            raise AlreadySucceeded
        if answer.get("error", {}).get("kind") != "Refused":
            _stop(path)
            return Legacy(None, {})
        if time.monotonic() >= deadline:
            return Legacy(None, {})  # the lock tells who won
        time.sleep(_RETRY)  # another successor is at it


def _stop(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, contextlib.suppress(OSError):
        connection.settimeout(_PATIENCE)
        connection.connect(path)
        connection.sendall(_request("supervisor", {"action": "stop"}))
        _line(connection)


def _request(verb: str, args: dict[str, Any]) -> bytes:
    context = {"cwd": "/", "umask": 0o022, "env": {}, "uid": os.getuid()}
    request = {"v": PROTOCOL, "client": VERSION, "verb": verb, "args": args, "context": context}
    return json.dumps(request).encode() + b"\n"


def _line(connection: socket.socket) -> dict[str, Any]:
    """One message, byte by byte: what follows it may carry descriptors."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("the predecessor hung up")
        line += byte
    try:
        message = json.loads(line)
    except ValueError as error:
        raise ConnectionError(f"no message: {error}") from error
    return message if isinstance(message, dict) else {}
