"""Long work of one environment that several clients may wait for: one doing, one result for all.

The work goes on while at least one client waits for it; when the last one leaves it is cancelled, so that Ctrl-C
means what it says. Work that nobody has to wait for is kept. A client that joins late hears what was told before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from devenv.api.views import OperationView
from devenv.errors import Interrupted
from devenv.supervisor.connection import Connection

Message = dict[str, Any]


class Telling:
    """A `Progress` (devenv.engine.port) that turns what it is told into messages. Callable from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[Message], None]) -> None:
        self._loop = loop
        self._tell = tell

    def _send(self, message: Message) -> None:
        try:
            self._loop.call_soon_threadsafe(self._tell, message)
        except RuntimeError:
            pass  # the loop is closing: nobody listens any more

    def step(self, key: str, title: str) -> None:
        self._send({"t": "progress", "key": key, "title": title, "done": False})

    def update(self, key: str, *, fraction: float | None = None, detail: str = "") -> None:
        self._send({"t": "progress", "key": key, "fraction": fraction, "detail": detail, "done": False})

    def line(self, key: str, text: str, stream: str = "stdout") -> None:
        self._send({"t": "line", "key": key, "text": text, "stream": stream})

    def done(self, key: str, *, ok: bool = True, detail: str = "") -> None:
        self._send({"t": "progress", "key": key, "detail": detail, "done": True, "ok": ok})

    def note(self, text: str, *, level: str = "info") -> None:
        self._send({"t": "note", "text": text, "level": level})


class Operation:
    """One piece of long work and its listeners."""

    _REPLAY = 400  # messages kept for a late listener

    def __init__(self, verb: str, work: Callable[[Telling], Awaitable[Any]], *, kept: bool = False) -> None:
        self.verb = verb
        self._kept = kept
        self.started = time.time()
        self._told: list[Message] = []
        self._listeners: set[Callable[[Message], None]] = set()
        self._waiting = 0
        self.final: OperationView | None = None  # how it looked at its end; see snapshot.operation_view
        telling = Telling(asyncio.get_running_loop(), self._tell)
        self._ending = False
        self._task: asyncio.Future[Any] = asyncio.ensure_future(work(telling))

    def _tell(self, message: Message) -> None:
        self._told.append(message)
        del self._told[: -self._REPLAY]
        for listener in list(self._listeners):
            listener(message)

    @property
    def running(self) -> bool:
        return not self._task.done()

    @property
    def ending(self) -> bool:
        """Nobody wants it any more: it still cleans up, and has no result to wait for."""
        return self._ending

    async def ended(self) -> None:
        """Returns when it has ended, however it ends."""
        await asyncio.wait({self._task})

    @property
    def told(self) -> list[Message]:
        """The newest of what was told."""
        return list(self._told)

    @property
    def failure(self) -> BaseException | None:
        """What ended it; None while it runs, when it went well and when nobody wanted it any more."""
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None

    def when_done(self, listener: Callable[[], None]) -> None:
        self._task.add_done_callback(lambda _: listener())

    def listen(self, listener: Callable[[Message], None]) -> Callable[[], None]:
        """Hears without keeping the work alive (the terminal UI's progress panel)."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def cancel(self) -> None:
        """Ends the work, and returns when it has ended."""
        self._leave()
        await self.ended()

    def _leave(self) -> None:
        self._ending = True
        self._task.cancel()

    async def join(self, connection: Connection) -> Any:
        """Waits for the result, telling the client how far it is. Raises `Interrupted` when another command ends it."""
        for message in self._told:
            connection.send(message)
        self._listeners.add(connection.send)
        self._waiting += 1
        gone = asyncio.ensure_future(connection.wait_gone())
        try:
            await asyncio.wait({self._task, gone}, return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                await asyncio.sleep(0)  # messages that were sent from threads come before the result
                if self._task.cancelled():
                    raise Interrupted(f"`{self.verb}` was ended by another command", "run it again")
                return self._task.result()
        finally:
            gone.cancel()
            self._listeners.discard(connection.send)
            self._waiting -= 1
            if not self._waiting and not self._kept and not self._task.done():
                self._leave()
        raise asyncio.CancelledError
