"""An event loop in which nothing ever waits: what is ready runs, in order, and when nothing is, that is a fault."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


class Loop(asyncio.AbstractEventLoop):  # type: ignore[abstract,unused-ignore]  # of which nearly nothing is asked
    def __init__(self) -> None:
        self._ready: deque[events.Handle] = deque()

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

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
                if not self._ready:
                    raise AssertionError("everybody waits for somebody else")
                self._ready.popleft()._run()
            return task.result()
        finally:
            self._ready.clear()
            events._set_running_loop(None)


async def at_once(function: Callable[..., T], /, *args: Any, **named: Any) -> T:
    """In the place of `asyncio.to_thread`."""
    return function(*args, **named)
