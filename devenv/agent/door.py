"""How far the host has been told of the files that are kept the same: asked when a program has ended.

Who keeps them (`devenv.sync.side`) listens on an abstract unix socket and answers with one number, after all that was
written before: the host then needs no question of its own.
"""

import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from .loop import Loop

PATIENCE = 0.3  # seconds; who has much to look at is asked by the host
_ANSWER = struct.Struct(">q")


def valid(name: "Any") -> str:
    if not isinstance(name, str) or not name.isascii() or not 0 < len(name) <= 100 or "\0" in name:
        raise ValueError("bad door: %r" % (name,))
    return name


class Question:
    """`done(number)` is called exactly once, later, unless it is cancelled; the number is -1 where nobody knows."""

    def __init__(self, loop: "Loop", name: str, done: "Callable[[int], None]") -> None:
        self._loop = loop
        self._done = done
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._timer = loop.call_later(PATIENCE, lambda: self._end(-1))
        try:
            self._socket.connect(b"\0" + name.encode("ascii"))
        except OSError:
            self._timer.cancel()
            self._timer = loop.call_later(0, lambda: self._end(-1))
            return
        loop.add_reader(self._socket.fileno(), self._readable)

    def cancel(self) -> None:
        if self._socket.fileno() >= 0:
            self._timer.cancel()
            self._loop.forget(self._socket.fileno())
            self._socket.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._socket.fileno(), _ANSWER.size)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._end(_ANSWER.unpack(data)[0] if len(data) == _ANSWER.size else -1)

    def _end(self, number: int) -> None:
        self.cancel()
        self._done(number)
