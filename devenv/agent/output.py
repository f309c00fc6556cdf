"""One descriptor of a run's program, read into the spool."""

import os

from . import terminal
from .pace import PAUSE, Pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .keeper import Keeper

_READ = 1 << 16
_TURN = 1 << 20  # bytes read from one descriptor before the others get their turn


class Output:
    """One descriptor of the program, into the spool."""

    def __init__(self, keeper: "Keeper", fd: int, stream: int) -> None:
        self.keeper = keeper
        self.fd = fd
        self.stream = stream
        self.last = keeper.loop.now()
        self._pace = Pace(keeper.loop.now)
        os.set_blocking(fd, False)
        keeper.loop.add_reader(fd, self._readable)

    def pending(self) -> int:
        return terminal.pending(self.fd) if self.fd >= 0 else 0

    def _readable(self) -> None:
        if self.fd < 0:
            return
        pieces = []
        size = 0
        ended = False
        while size < _TURN:
            try:
                data = os.read(self.fd, _READ)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # EIO: nobody has the terminal open any more
                ended = True
                break
            if not data:
                ended = True
                break
            pieces.append(data)
            size += len(data)
        if size:
            self.last = self.keeper.loop.now()
            self.keeper.wrote(self.stream, b"".join(pieces))
        if ended:
            self.keeper.loop.forget(self.fd)
            if self.fd == self.keeper.master:
                self.keeper.master = -1
            os.close(self.fd)
            self.fd = -1
        elif self._pace.pause(size):
            self.keeper.loop.remove_reader(self.fd)
            self.keeper.loop.call_later(PAUSE, self._rested)

    def _rested(self) -> None:
        if self.fd >= 0:
            self.keeper.loop.add_reader(self.fd, self._readable)
