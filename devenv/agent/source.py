"""A source: the descriptor whose bytes a channel sends, as credit and room allow."""

import errno
import os

from . import frames, terminal
from .pace import ENOUGH, PAUSE, Pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from .channels import Channel
    from .loop import Loop, Timer


class Source:
    """Owns `fd`. Sends EOF for its stream and calls `at_end(errno)` once, 0 for a plain end."""

    def __init__(
        self,
        loop: "Loop",
        channel: "Channel",
        fd: int,
        stream: int,
        at_end: "Callable[[int], None]",
        chunk: int = frames.CHUNK,
        paced: bool = True,
    ) -> None:
        self.loop = loop
        self.channel = channel
        self.fd = fd
        self.stream = stream
        self.count = 0  # bytes sent so far
        self.last = loop.now()
        self._at_end = at_end
        self._chunk = chunk
        self._pace = Pace(loop.now) if paced else None
        self._timer: "Timer | None" = None
        os.set_blocking(fd, False)

    @property
    def open(self) -> bool:
        return self.fd >= 0

    def pending(self) -> int:
        return terminal.pending(self.fd) if self.fd >= 0 else 0

    def resume(self) -> None:
        """There may be credit and room: read on."""
        if self.fd < 0 or self._timer is not None:
            return
        if self.channel.can_send:
            self.loop.add_reader(self.fd, self._readable)
        else:
            self.loop.remove_reader(self.fd)
            self.channel.wait_to_send()

    def _readable(self) -> None:
        if not self.channel.can_send:
            self.resume()
            return
        limit = min(self._chunk, self.channel.credit)
        pieces = []
        size = 0
        ended = -1
        while size < limit:
            try:
                data = os.read(self.fd, limit - size)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                # EIO is how a terminal says that its last program has let go of it.
                ended = 0 if error.errno == errno.EIO else error.errno or errno.EIO
                break
            if not data:
                ended = 0
                break
            pieces.append(data)
            size += len(data)
            if size >= ENOUGH:
                break
        if size:
            self.count += size
            self.last = self.loop.now()
            self.channel.send(self.stream, b"".join(pieces) if len(pieces) > 1 else pieces[0])
            if not self.channel.alive or self.fd < 0:
                return
        if ended >= 0:
            self.end(ended)
        elif not self.channel.can_send:
            self.resume()
        elif self._pace is not None and self._pace.pause(size):
            self.loop.remove_reader(self.fd)
            self._timer = self.loop.call_later(PAUSE, self._rested)

    def _rested(self) -> None:
        self._timer = None
        self.resume()

    def end(self, number: int = 0) -> None:
        """The stream is over: EOF goes out."""
        if self.fd >= 0:
            self.close()
            self.channel.send_eof(self.stream)
            self._at_end(number)

    def close(self) -> None:
        """Lets go of the descriptor without a word."""
        if self.fd >= 0:
            self.loop.forget(self.fd)
            os.close(self.fd)
            self.fd = -1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
