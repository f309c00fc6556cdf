"""The engine's events as they come, across its restarts. Reading blocks, so each subscription has a thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

from devenv.engine.port import EngineEvent
from devenv.errors import DevenvError, EngineError

Subscribe = Callable[[Sequence[str]], Awaitable[Iterator[dict[str, Any]]]]
"""Names of container events to the engine's messages, which may have a `close`. Raises `EngineError`."""

_EVENTS = (
    "create", "start", "restart", "die", "kill", "stop", "destroy", "pause", "unpause", "oom", "rename",
    "died", "cleanup", "remove",  # Podman chooses by its own names
)  # fmt: skip
_NAMES = {"died": "die", "remove": "destroy"}


class EventStream:
    """All subscriptions of one engine."""

    def __init__(self, subscribe: Subscribe) -> None:
        self._subscribe = subscribe
        self._streams: set[Any] = set()
        self._closing = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Somebody knows that the engine can be reached again: a lost one is asked at once."""
        self._woken.set()

    async def follow(self) -> AsyncIterator[EngineEvent]:
        """Container events. A lost engine is told once ("engine", "lost"), then once that it is back."""
        lost = False
        delay = 0.2
        while not self._closing:
            try:
                async for event in self._once():
                    if lost or event.type == "engine":
                        if lost:
                            yield EngineEvent("engine", "back", "", {})
                        lost, delay = False, 0.2
                    if event.type != "engine":
                        yield event
            except EngineError:
                pass
            if self._closing:
                return
            if not lost:
                lost = True
                yield EngineEvent("engine", "lost", "", {})
            # Of an engine on this machine nothing tells when it comes up: ask again, ever more rarely.
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), delay)
            delay = min(5.0, delay * 1.6)

    async def _once(self) -> AsyncIterator[EngineEvent]:
        """One subscription until it breaks. Its first item is ("engine", "subscribed")."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[EngineEvent | DevenvError | None] = asyncio.Queue()
        stream = await self._subscribe(_EVENTS)
        self._streams.add(stream)

        def tell(item: EngineEvent | DevenvError | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has gone: nobody listens any more
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def read() -> None:
            try:
                for raw in stream:
                    actor = raw.get("Actor") or {}
                    action = str(raw.get("Action", ""))
                    tell(
                        EngineEvent(
                            str(raw.get("Type", "")),
                            _NAMES.get(action, action),
                            str(actor.get("ID", "")),
                            dict(actor.get("Attributes") or {}),
                        )
                    )
                tell(None)
            except Exception as error:  # a broken stream, whatever the library calls it
                tell(EngineError(f"the engine's events broke off: {error}"))

        thread = threading.Thread(target=read, name="engine-events", daemon=True)
        thread.start()
        try:
            yield EngineEvent("engine", "subscribed", "", {})
            while (item := await queue.get()) is not None:
                if isinstance(item, DevenvError):
                    raise item
                yield item
        finally:
            self._streams.discard(stream)
            _close(stream)
            thread.join(timeout=2.0)

    def close(self) -> None:
        """Ends every subscription."""
        self._closing = True
        for stream in list(self._streams):
            _close(stream)


def _close(stream: Any) -> None:
    with contextlib.suppress(Exception):  # closing a socket that is already broken
        stream.close()
