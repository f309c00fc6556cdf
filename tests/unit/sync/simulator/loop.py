"""An event loop without clock or sockets: what is ready runs, in order, and when nothing is, the far side works."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


class Loop(asyncio.AbstractEventLoop):  # type: ignore[abstract,unused-ignore]
    """Nearly nothing is asked of it. `idle` is called when everybody waits, and says whether it has changed that."""

    def __init__(self, idle: Callable[[], bool]) -> None:
        self._ready: deque[events.Handle] = deque()
        self._idle = idle

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        """Patience never ends."""
        return events.TimerHandle(when, callback, args, self, context)

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        pass

    def time(self) -> float:
        return 0.0

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Exceptions of tasks that nobody asked any more: a crash ends them all."""

    def run(self, coro: Coroutine[Any, Any, T]) -> T:
        events._set_running_loop(self)
        try:
            task: asyncio.Task[T] = self.create_task(coro)
            while not task.done():
                if self._ready:
                    self._ready.popleft()._run()
                elif not self._idle():
                    raise AssertionError("everybody waits for somebody else")
            return task.result()
        finally:
            events._set_running_loop(None)
