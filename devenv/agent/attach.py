"""One client that looks at a run: every kept byte from the spool, by offset, then what comes live.

The spool's files are the one source, so a late, slow or returning client sees the same bytes as a fast one. Only what
a full disk refused comes from the keeper's memory, while it is there.
"""

from . import frames
from .channels import Channel, window
from .spool import SpoolReader
from .watch import InputRelay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from .loop import Loop
    from .peer import Peer
    from .records import Folder
    from .watch import Watch

_TURN = 1 << 20  # bytes before other channels get their turn


class AttachChannel(Channel):
    """CLOSE says {"record": ...} once the run has ended and all was sent."""

    def __init__(
        self,
        loop: "Loop",
        peer: "Peer",
        id: int,
        folder: "Folder",
        offset: int,
        with_input: bool,
        gone: "Callable[[AttachChannel], None]",
    ) -> None:
        Channel.__init__(self, peer, id)
        self.loop = loop
        self.folder = folder
        self.position = offset
        self.watch: "Watch | None" = None
        self.relay: "InputRelay | None" = None
        self._with_input = with_input
        self._gone = gone
        self._reader = SpoolReader(folder.path)
        self._final: "dict[str, Any] | None" = None
        self._waiting = False

    def join(self, watch: "Watch", relay_id: int) -> None:
        """The run lives: follow it."""
        self.watch = watch
        if self._with_input:
            self.relay = InputRelay(watch, relay_id, window(self.peer, self.id))
            watch.table.open(self.relay)
            watch.ask("attach", channel=relay_id)
        watch.ask("follow", on=True)

    def ended(self, record: "dict[str, Any]") -> None:
        """The run is over: what is left of the spool, then CLOSE."""
        self._final = record
        self.watch = None
        self.relay = None
        self.resume()

    # output

    def resume(self) -> None:
        if self._waiting or not self.alive:
            return
        sent = 0
        while self.can_send:
            if sent >= _TURN:
                self._waiting = True
                self.loop.call_later(0, self._again)
                return
            offset, stream, data = self._next(min(frames.CHUNK, self.credit))
            if not data:
                self.position = max(self.position, offset)
                if self._final is not None:
                    self._close()
                return
            self.position = offset + len(data)
            sent += len(data)
            self.send(stream, data)
            if not self.alive:
                return
        self.wait_to_send()

    def _again(self) -> None:
        self._waiting = False
        self.resume()

    def _next(self, limit: int) -> "tuple[int, int, bytes]":
        offset, stream, data = self._reader.read(self.position, limit)
        if data and offset == self.position:
            return offset, stream, data
        for start, owner, piece in self.watch.ring if self.watch is not None else ():
            if start + len(piece) > self.position and (not data or start < offset):
                at = max(start, self.position)
                return at, owner, piece[at - start :][:limit]
        if not data and self.watch is not None:
            offset = max(offset, self.watch.size)  # dropped and gone from memory too: there is nothing to wait for
            again = self._reader.read(self.position, limit)
            if again[2]:
                return again
        return offset, stream, data

    def _close(self) -> None:
        record = self._final or {}
        streams = [frames.OUT] if record.get("tty") else [frames.OUT, frames.ERR]
        for stream in streams:
            self.send_eof(stream)
        self._reader.close()
        self._gone(self)
        self.finish({"record": record})

    # input

    def received(self, stream: int, data: bytes) -> None:
        if stream != frames.IN:
            raise frames.ProtocolError("a run takes stream 0 only")
        if self.relay is not None and self.relay.alive:
            self.relay.send(stream, data)
        else:
            window(self.peer, self.id)(len(data))

    def received_eof(self, stream: int) -> None:
        if self.relay is not None and self.relay.alive:
            self.relay.send_eof(stream)

    def signal(self, number: int) -> None:
        if self.watch is not None:
            self.watch.ask("signal", signal=number)

    def resize(self, rows: int, columns: int) -> None:
        if self.watch is not None:
            self.watch.ask("resize", rows=rows, columns=columns)

    def closed(self) -> None:
        Channel.closed(self)
        self._reader.close()
        if self.relay is not None and self.watch is not None:
            self.relay.finish({})
        self._gone(self)
