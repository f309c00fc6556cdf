"""Images out of an engine and into one, as archives: the two requests of the engine's API that stream them.

The SDK's own calls give up after the time limit of a small request; and HTTP libraries for threads send all of a body
before they look for the answer. An engine whose disk is full answers in the middle, and reads no further.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import IO, Any, TypeVar, cast
from urllib.parse import quote

from devenv.engine.exec_stream import EngineHttp, Wire
from devenv.engine.image_tar import PIECE
from devenv.errors import EngineError, ImageMissing

T = TypeVar("T")

Request = Callable[..., Any]
"""(path, **options of `requests`): a request to the engine, at its API's version."""

_PATIENCE = (60, 1800)  # seconds to connect, and without a byte: an engine writes the whole image down before it sends
_LAST_WORDS = 5.0  # seconds for the answer of an engine that takes no more


class _Reader:
    """An answer's body as a file that can be read once; a read may give less than was asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def read(self, size: int) -> bytes:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._left = memoryview(piece)
        given, self._left = self._left[:size], self._left[size:]
        return bytes(given)


def save(get: Request, reference: str, take: Callable[[IO[bytes]], T]) -> T:
    """`take` gets the archive. Blocking. Raises `ImageMissing`, `EngineError`, and what `take` raises."""
    with get(f"/images/{quote(reference, safe='/:@')}/get", stream=True, timeout=_PATIENCE) as answer:
        if answer.status_code != 200:
            kind = ImageMissing if answer.status_code == 404 else EngineError
            raise kind(f"cannot read image {reference}: {_said(answer.content)}")
        return take(cast(IO[bytes], _Reader(answer.iter_content(PIECE))))


async def load(
    http: EngineHttp, reference: str, body: Iterator[bytes], size: int, threads: concurrent.futures.Executor
) -> None:
    """`body` has `size` bytes and is read in `threads`. Raises `EngineError` with the engine's words, `EngineMissing`,
    and what `body` raises. Cancelled: the connection is closed, and the engine drops what it has."""
    wire = await http.connect()
    try:
        status, said = await _exchange(http, wire, body, size, threads)
    finally:
        wire.abort()
    failure = _said(said) if status != 200 else _failure(said)
    if failure:
        raise EngineError(f"cannot put image {reference} there: {failure}")


async def _exchange(
    http: EngineHttp, wire: Wire, body: Iterator[bytes], size: int, threads: concurrent.futures.Executor
) -> tuple[int, bytes]:
    async def answer() -> tuple[int, bytes]:
        status, fields = await wire.head()
        return status, await wire.body(fields)

    async def send() -> None:
        await wire.write(http.head("POST", "/images/load?quiet=1", "application/x-tar", size))
        while (piece := await asyncio.get_running_loop().run_in_executor(threads, next, body, None)) is not None:
            await wire.write(piece)

    answering, sending = asyncio.ensure_future(answer()), asyncio.ensure_future(send())
    try:
        await asyncio.wait({answering, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and (error := sending.exception()) is not None:
            if not isinstance(error, OSError):
                raise error
            await asyncio.wait({answering}, timeout=_LAST_WORDS)
            if not answering.done():
                raise error
        return await answering
    except (OSError, ValueError) as error:
        raise http.unreachable(error) from error
    finally:
        for task in (answering, sending):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


def _failure(said: bytes) -> str:
    """The first complaint among the messages of an engine that had begun to say yes."""
    for line in said.splitlines():
        with contextlib.suppress(ValueError, AttributeError):
            if error := str(json.loads(line).get("error") or "").strip():
                return error
    return ""


def _said(answer: bytes) -> str:
    text = answer.decode("utf-8", "replace")
    try:
        return str(json.loads(text)["message"]).strip()
    except (ValueError, KeyError, TypeError):
        return text.strip()[:300] or "no reason given"
