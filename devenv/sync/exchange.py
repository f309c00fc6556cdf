"""Requests to the far side's process and what it answers, one at a time; hints come in between.

Nothing that it says is believed, and a process that does not keep to the format is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from devenv.engine.port import ExecStream
from devenv.errors import DevenvError, LinkError
from devenv.sync.core.given import Untrustworthy
from devenv.sync.side import wire

T = TypeVar("T")

PATIENCE = 2.0  # seconds for the rest of an exchange that nobody waits for
_AHEAD = 8  # data frames that wait for whoever reads them
_MOST_REPLY = 64 << 20  # bytes


async def quietly_close(stream: ExecStream) -> None:
    with contextlib.suppress(OSError, DevenvError):
        await stream.close()


class Exchange:
    """`early` is what came behind the greeting. Once anything raised LinkError, everything does."""

    def __init__(self, stream: ExecStream, early: bytes = b"") -> None:
        self._stream = stream
        self._early = early
        self._one = asyncio.Lock()
        self._moved = asyncio.Event()
        self._told: asyncio.Queue[tuple[int, bytes] | LinkError] = asyncio.Queue(_AHEAD)
        self._reader: asyncio.Task[None] | None = None
        self._gone: LinkError | None = None
        self._errors = b""
        self._stop = False
        self._armed = False  # whether the other side may say something by itself

    def start(self) -> None:
        self._reader = asyncio.create_task(self._read(), name="sync: what the container says")

    async def _read(self) -> None:
        frames = wire.Frames(_MOST_REPLY)
        try:
            data: bytes | None = self._early
            while data is not None:
                for kind, payload in frames.feed(data):
                    if kind in (wire.EVENT, wire.NEWS):
                        self._armed = False
                        self._on_news(payload if kind == wire.NEWS else None)
                    elif kind == wire.STOP:
                        self._stop = True
                    else:
                        await self._told.put((kind, payload))
                data = await self._chunk()
            last = self._errors.decode("utf-8", "replace").strip().splitlines()[-1:]
            self._end(LinkError("the container's side ended" + (f": {last[0][:300]}" if last else "")))
        except wire.Broken as error:
            self._end(LinkError(f"the container's side broke the protocol: {error}"))
        except (OSError, DevenvError) as error:
            self._end(LinkError(f"the container's side is gone: {error}"))
        await quietly_close(self._stream)

    def _on_news(self, payload: bytes | None) -> None:
        """Something was written; what, or None. Raises wire.Broken."""
        self._moved.set()

    async def _chunk(self) -> bytes | None:
        while (chunk := await self._stream.read()) is not None:
            number, data = chunk
            if number == 1:
                return data
            self._errors = (self._errors + data)[-4000:]
        return None

    def _end(self, why: LinkError) -> None:
        self._gone = self._gone or why
        self._moved.set()
        while self._told.full():
            self._told.get_nowait()
        self._told.put_nowait(self._gone)

    async def _frame(self) -> tuple[int, bytes]:
        if self._gone is not None and self._told.empty():
            raise self._gone
        found = await self._told.get()
        if isinstance(found, LinkError):
            raise found
        return found

    async def _write(self, data: bytes) -> None:
        if self._gone is not None:
            raise self._gone
        try:
            await self._stream.write(data)
        except OSError as error:
            raise LinkError(f"the container's side is gone: {error}") from None

    async def _request(self, value: Any) -> None:
        self._armed = False
        await self._write(wire.message(wire.REQUEST, value))

    async def _arm(self) -> None:
        async with self._one:
            if not self._armed:
                await self._write(wire.frame(wire.ARM))
                self._armed = True

    async def _reply(self, frame: tuple[int, bytes] | None = None) -> Any:
        """What `frame`, or the next one, says. Raises OSError where the other side met one, with its number."""
        kind, payload = frame or await self._frame()
        if kind != wire.REPLY:
            raise await self._broken("no reply where one is due")
        try:
            said = json.loads(payload)
        except (ValueError, RecursionError):
            raise await self._broken("a reply that cannot be read") from None
        if isinstance(said, dict) and said.get("ok") is True:
            return said.get("result")
        if isinstance(said, dict) and isinstance(said.get("errno"), int) and isinstance(said.get("text"), str):
            raise OSError(said["errno"], f"in the container: {said['text'][:300]}")
        raise await self._broken("a reply of no known form")

    async def _broken(self, what: str) -> LinkError:
        self._end(LinkError(f"the container's side broke the protocol: {what}"))
        await quietly_close(self._stream)
        assert self._gone is not None
        return self._gone

    async def _whole(self, exchange: Coroutine[Any, Any, T]) -> T:
        """To its end, also when nobody waits for it any more: what comes late must not be taken for another's. One that
        does not end soon then ends the link."""
        running = asyncio.ensure_future(exchange)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running}, timeout=PATIENCE)
            if not running.done():
                await self._broken("an exchange was given up")
            await asyncio.gather(running, return_exceptions=True)
            raise

    async def _call(self, op: str, read: Callable[[Any], T], **more: Any) -> T:
        return await self._whole(self._exchange({"op": op, **more}, read))

    async def _exchange(self, request: Any, read: Callable[[Any], T]) -> T:
        async with self._one:
            await self._request(request)
            return await self._checked(await self._reply(), read)

    async def _checked(self, said: Any, read: Callable[[Any], T]) -> T:
        try:
            return believed(said, read)
        except wire.Broken as error:
            raise await self._broken(str(error)) from None

    async def close(self) -> None:
        self._gone = self._gone or LinkError("the container's side was left")
        self._moved.set()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        await quietly_close(self._stream)


def believed(said: Any, read: Callable[[Any], T]) -> T:
    """What `read` makes of it. Raises Broken, whatever is wrong with it."""
    try:
        return read(said)
    except (Untrustworthy, wire.Broken, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise wire.Broken(str(error)[:300]) from None


def given(said: Any, name: str, kind: type[T]) -> T:
    """Raises Broken where it is not there, or of another kind."""
    value = said.get(name) if isinstance(said, dict) else None
    if not isinstance(value, kind):
        raise wire.Broken(f"no {name} where one is due")
    return value
