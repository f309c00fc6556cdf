"""The agent's line to one living keeper: news of the record and of the size, and the way in for input.

Everything is asynchronous: a keeper that does not answer holds up nobody but its own run.
"""

import collections
import os
import socket

from . import frames
from .channels import Channel, Table
from .peer import Peer
from .spool import RING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from .loop import Loop
    from .records import Folder

    Answer = Callable[[dict[str, Any]], None]


class Watch:
    """`changed(record)` at each news of the record; `ended()` once, when the keeper has gone."""

    def __init__(
        self,
        loop: "Loop",
        folder: "Folder",
        changed: "Callable[[dict[str, Any]], None]",
        grown: "Callable[[], None]",
        ended: "Callable[[], None]",
    ) -> None:
        self.folder = folder
        self.size = 0
        self.ring: "collections.deque[tuple[int, int, bytes]]" = collections.deque()
        self._ring_size = 0
        self.table = Table()
        self._changed = changed
        self._grown = grown
        self._ended = ended
        self._answers: "dict[int, Answer]" = {}
        self._count = 0
        self._sock = _connect(folder.path)
        fd = self._sock.fileno()
        self.peer = Peer(loop, fd, fd, self._sock, self._frame, self._gone)
        self.ask("watch", self._first)

    @property
    def alive(self) -> bool:
        return not self.peer.closed

    def ask(self, op: str, answer: "Answer | None" = None, **params: "Any") -> None:
        """`answer` gets the REPLY's object; nothing when the keeper goes first (then `ended` is called)."""
        self._count += 1
        if answer is not None:
            self._answers[self._count] = answer
        self.peer.control(frames.encode_json(frames.REQUEST, 0, dict(params, id=self._count, op=op)))

    def _first(self, reply: "dict[str, Any]") -> None:
        result = reply.get("result")
        if isinstance(result, dict) and isinstance(result.get("record"), dict):
            self.size = max(self.size, int(result.get("size") or 0))
            self._changed(result["record"])

    def _frame(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == frames.EVENT:
            event = frames.decode_json(payload)
            if event.get("event") == "size":
                self.size = max(self.size, int(event.get("size") or 0))
                self._grown()
            elif event.get("event") == "record" and isinstance(event.get("record"), dict):
                self.size = max(self.size, int(event["record"].get("size") or 0))
                self._changed(event["record"])
        elif kind == frames.REPLY:
            reply = frames.decode_json(payload)
            answer = self._answers.pop(reply.get("id"), None)  # type: ignore[arg-type]
            if answer is not None:
                answer(reply)
        elif kind == frames.DATA and channel == 0:
            self._keep(payload)
        else:
            self.table.frame(kind, channel, payload)

    def _keep(self, payload: bytes) -> None:
        if len(payload) > 9:
            self.ring.append((int.from_bytes(payload[:8], "big"), payload[8], payload[9:]))
            self._ring_size += len(payload) - 9
            while self._ring_size > RING and len(self.ring) > 1:
                self._ring_size -= len(self.ring.popleft()[2])

    def _gone(self, reason: str) -> None:
        self._sock.close()
        self._ended()

    def close(self) -> None:
        self.peer.end("closed here")


class InputRelay(Channel):
    """What a client sends to a run, on its way to the keeper. Credit goes from end to end, so nothing piles up here."""

    def __init__(self, watch: Watch, id: int, grant: "Callable[[int], None]") -> None:
        Channel.__init__(self, watch.peer, id)
        self._grant = grant

    def granted(self, count: int) -> None:
        self._grant(count)


def _connect(folder: str) -> socket.socket:
    """The keeper's socket, by a path that is short whatever the folder (a socket's path has 107 bytes)."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    path = os.path.join(folder, "ctl.sock")
    try:
        if len(path.encode("utf-8", "surrogateescape")) < 108:
            sock.connect(path)
        else:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                sock.connect("/proc/self/fd/%d/ctl.sock" % fd)
            finally:
                os.close(fd)
    except OSError:
        sock.close()
        raise
    return sock
