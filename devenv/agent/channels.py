"""Channels: the two flows of bytes that one process, attachment or connection has over a conversation.

`Outlet` sends what a descriptor or a spool gives, never more than the credit the far side granted, and never while
the conversation is congested. `Inlet` takes what comes, writes it to a descriptor as that takes it, and grants credit
for what was written. Memory per channel is bounded by the credit.
"""

import collections
import os

from . import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from .loop import Loop
    from .peer import Peer


class Channel:
    """What the far side can do to a channel. Subclasses implement what makes sense for them."""

    def __init__(self, peer: "Peer", id: int) -> None:
        self.peer = peer
        self.id = id
        self.credit = frames.CREDIT
        self.alive = True
        self.table: "Table | None" = None
        self._starved = False
        self._queued_turn = False

    # towards the far side

    @property
    def can_send(self) -> bool:
        return self.credit > 0 and not self.peer.congested

    def wait_to_send(self) -> None:
        """`resume` is called once there is credit and room."""
        if self.credit <= 0:
            self._starved = True
        elif not self._queued_turn:
            self._queued_turn = True
            self.peer.when_clear(self._turn)

    def _turn(self) -> None:
        self._queued_turn = False
        if self.alive:
            self.resume()

    def resume(self) -> None:
        """There is credit and room again."""

    def send(self, stream: int, data: bytes) -> None:
        """`data` must fit the credit and one frame."""
        self.credit -= len(data)
        self.peer.data(frames.HEADER.pack(len(data) + 1, self.id, frames.DATA) + bytes((stream,)) + data)

    def send_eof(self, stream: int) -> None:
        self.peer.data(frames.encode(frames.EOF, self.id, bytes((stream,))))

    def finish(self, result: "dict[str, Any]") -> None:
        """Sends CLOSE: the channel is gone."""
        if self.alive:
            self.alive = False
            self.peer.data(frames.encode_json(frames.CLOSE, self.id, result))
            if self.table is not None:
                self.table.remove(self.id)

    # from the far side

    def granted(self, count: int) -> None:
        self.credit += count
        if self._starved and self.credit > 0:
            self._starved = False
            self.wait_to_send() if self.peer.congested else self.resume()

    def received(self, stream: int, data: bytes) -> None:
        raise frames.ProtocolError("this channel takes no data")

    def received_eof(self, stream: int) -> None:
        raise frames.ProtocolError("this channel takes no data")

    def closed(self) -> None:
        """The far side gave the channel up, or the conversation ended: let go of everything."""
        self.alive = False

    def signal(self, number: int) -> None:
        raise ValueError("this channel takes no signals")

    def resize(self, rows: int, columns: int) -> None:
        raise ValueError("this channel has no terminal")


class Table:
    """The channels of one conversation, and the dispatch of their frames."""

    def __init__(self) -> None:
        self.channels: "dict[int, Channel]" = {}

    def open(self, channel: Channel) -> None:
        if channel.id in self.channels or not 0 < channel.id < 1 << 32:
            raise frames.ProtocolError("bad channel id %d" % channel.id)
        self.channels[channel.id] = channel
        channel.table = self

    def frame(self, kind: int, id: int, payload: bytes) -> None:
        channel = self.channels.get(id)
        if channel is None:
            return  # it ended while the frame was under way
        if kind == frames.DATA:
            if not payload:
                raise frames.ProtocolError("DATA without a sub-stream")
            if len(payload) > 1:
                channel.received(payload[0], payload[1:])
        elif kind == frames.EOF:
            if len(payload) != 1:
                raise frames.ProtocolError("EOF without a sub-stream")
            channel.received_eof(payload[0])
        elif kind == frames.WINDOW:
            if len(payload) != 4:
                raise frames.ProtocolError("bad WINDOW")
            channel.granted(int.from_bytes(payload, "big"))
        elif kind == frames.CLOSE:
            del self.channels[id]
            if channel.alive:
                channel.closed()
                channel.peer.data(frames.encode_json(frames.CLOSE, id, {"closed": True}))
        else:
            raise frames.ProtocolError("kind %d on a channel" % kind)
        if not channel.alive:
            self.channels.pop(id, None)

    def remove(self, id: int) -> None:
        self.channels.pop(id, None)

    def end(self) -> None:
        channels, self.channels = self.channels, {}
        for channel in channels.values():
            if channel.alive:
                channel.closed()


class Inlet:
    """Writes received bytes to `fd` (which it owns) as fast as that takes them.

    `granted` is told how many bytes were consumed; `gone` that the reader of `fd` went away, after which bytes are
    thrown away, so that the sender is never stuck. `at_end` is called when all is written and the end was received.
    """

    def __init__(self, loop: "Loop", fd: int, grant: "Callable[[int], None]", at_end: "Callable[[], None]") -> None:
        self.loop = loop
        self.fd = fd
        self._grant = grant
        self._at_end = at_end
        self._queue: "collections.deque[bytes]" = collections.deque()
        self._size = 0
        self._consumed = 0
        self._ending = False
        self.broken = False
        os.set_blocking(fd, False)

    def put(self, data: bytes) -> None:
        if self._size + len(data) > frames.CREDIT:
            raise frames.ProtocolError("more data than was granted")
        if self._ending:
            raise frames.ProtocolError("data after the end")
        if self.broken:
            self._took(len(data))
            return
        first = not self._queue
        self._queue.append(data)
        self._size += len(data)
        if first:
            self._write()

    def put_eof(self) -> None:
        if not self._ending:
            self._ending = True
            if not self._queue:
                self._at_end()

    def _took(self, count: int) -> None:
        # Grants are gathered: one WINDOW for each quarter of the credit, or when there is nothing left to write.
        self._consumed += count
        if self._consumed >= frames.CREDIT // 4:
            self._grant(self._consumed)
            self._consumed = 0

    def _write(self) -> None:
        queue = self._queue
        try:
            while queue:
                written = os.write(self.fd, queue[0])
                self._size -= written
                self._took(written)
                if written < len(queue[0]):
                    queue[0] = queue[0][written:]
                else:
                    queue.popleft()
        except (BlockingIOError, InterruptedError):
            self.loop.add_writer(self.fd, self._write)
            return
        except OSError:
            self.broken = True
            self._took(self._size)
            self._size = 0
            queue.clear()
        self.loop.remove_writer(self.fd)
        if self._ending:
            self._at_end()

    def close(self) -> None:
        if self.fd >= 0:
            self.loop.forget(self.fd)
            os.close(self.fd)
            self.fd = -1
        self.broken = True
        self._queue.clear()


def window(peer: "Peer", id: int) -> "Callable[[int], None]":
    """Grants credit of channel `id`."""
    return lambda count: peer.control(frames.encode(frames.WINDOW, id, count.to_bytes(4, "big")))
