"""The loop: ready descriptors, timers and ended children, in one thread.

A callback must not block. An exception that leaves a callback ends the process: a caller that can fail for one channel
only catches at its own boundary.
"""

import heapq
import os
import selectors
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable


class Timer:
    def __init__(self, callback: "Callable[[], None]") -> None:
        self.callback: "Callable[[], None] | None" = callback

    def cancel(self) -> None:
        self.callback = None


class Loop:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._handlers: "dict[int, list[Callable[[], None] | None]]" = {}
        self._timers: "list[tuple[float, int, Timer]]" = []
        self._count = 0
        self._children: "dict[int, Callable[[int], None]]" = {}
        self._running = False
        self.now = time.monotonic
        # A signal only wakes the selector: the work is done by the loop, never in a handler.
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wake_write)
        self.add_reader(self._wake_read, self._woken)

    # descriptors

    def add_reader(self, fd: int, callback: "Callable[[], None]") -> None:
        self._set(fd, 0, callback)

    def remove_reader(self, fd: int) -> None:
        self._set(fd, 0, None)

    def add_writer(self, fd: int, callback: "Callable[[], None]") -> None:
        self._set(fd, 1, callback)

    def remove_writer(self, fd: int) -> None:
        self._set(fd, 1, None)

    def _set(self, fd: int, side: int, callback: "Callable[[], None] | None") -> None:
        handlers = self._handlers.get(fd)
        if handlers is None:
            if callback is None:
                return
            handlers = self._handlers[fd] = [None, None]
            before = 0
        else:
            before = _events(handlers)
        handlers[side] = callback
        after = _events(handlers)
        if after == before:
            return
        if not before:
            self._selector.register(fd, after, handlers)
        elif after:
            self._selector.modify(fd, after, handlers)
        else:
            self._selector.unregister(fd)
            del self._handlers[fd]

    def forget(self, fd: int) -> None:
        """Both sides removed: to be called before `fd` is closed."""
        self._set(fd, 0, None)
        self._set(fd, 1, None)

    # time

    def call_later(self, delay: float, callback: "Callable[[], None]") -> Timer:
        timer = Timer(callback)
        self._count += 1
        heapq.heappush(self._timers, (self.now() + delay, self._count, timer))
        return timer

    # children

    def on_exit(self, pid: int, callback: "Callable[[int], None]") -> None:
        """`callback(status)` once child `pid` has ended, with the status as `waitpid` gives it."""
        self._children[pid] = callback

    def _woken(self) -> None:
        try:
            while len(os.read(self._wake_read, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass
        self.reap()

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            callback = self._children.pop(pid, None)
            if callback is not None:
                callback(status)

    # running

    def run(self) -> None:
        """Until `stop`."""
        self._running = True
        while self._running:
            timeout: "float | None" = None
            timers = self._timers
            while timers and timers[0][2].callback is None:
                heapq.heappop(timers)
            if timers:
                timeout = max(0.0, timers[0][0] - self.now())
            for key, events in self._selector.select(timeout):
                handlers = key.data
                # A callback earlier in this round may have removed a later one.
                if events & selectors.EVENT_READ and handlers[0] is not None:
                    handlers[0]()
                if events & selectors.EVENT_WRITE and handlers[1] is not None:
                    handlers[1]()
            if timers:
                now = self.now()
                while timers and timers[0][0] <= now:
                    callback = heapq.heappop(timers)[2].callback
                    if callback is not None:
                        callback()

    def stop(self) -> None:
        self._running = False

    def abandon(self) -> None:
        """In a forked child: lets go of everything without touching what the parent still uses."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _events(handlers: "list[Callable[[], None] | None]") -> int:
    return (selectors.EVENT_READ if handlers[0] else 0) | (selectors.EVENT_WRITE if handlers[1] else 0)
