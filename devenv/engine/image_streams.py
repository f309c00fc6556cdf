"""Images out of an engine and into one, as archives: the two requests of the engine's API that stream them.

Through plain HTTP, because the SDK's own calls give up after the time limit of a small request. Blocking.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import IO, Any, TypeVar, cast
from urllib.parse import quote

from devenv.engine.image_tar import PIECE
from devenv.errors import EngineError, ImageMissing

T = TypeVar("T")

Request = Callable[..., Any]
"""(path, **options of `requests`): a request to the engine, at its API's version."""

_PATIENCE = (60, 1800)  # seconds to connect, and without a byte: an engine writes the whole image down before it sends


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
    """`take` gets the archive. Raises `ImageMissing`, `EngineError`, and what `take` raises."""
    with get(f"/images/{quote(reference, safe='/:@')}/get", stream=True, timeout=_PATIENCE) as answer:
        if answer.status_code != 200:
            kind = ImageMissing if answer.status_code == 404 else EngineError
            raise kind(f"cannot read image {reference}: {_said(answer.text)}")
        return take(cast(IO[bytes], _Reader(answer.iter_content(PIECE))))


def load(post: Request, reference: str, body: Iterator[bytes]) -> None:
    """Raises `EngineError` with the engine's words, and what `body` raises."""
    what = f"cannot put image {reference} there"
    headers = {"Content-Type": "application/x-tar"}
    # Not quiet: its words on the way show that it is at work.
    with post(
        "/images/load", params={"quiet": 0}, data=body, headers=headers, stream=True, timeout=_PATIENCE
    ) as answer:
        if answer.status_code != 200:
            raise EngineError(f"{what}: {_said(answer.text)}")
        for line in answer.iter_lines(chunk_size=None):
            if said := _failure(line):
                raise EngineError(f"{what}: {said}")


def _failure(line: bytes) -> str:
    try:
        message = json.loads(line)
    except ValueError:
        return ""
    return str(message.get("error") or "").strip() if isinstance(message, dict) else ""


def _said(text: str) -> str:
    try:
        return str(json.loads(text)["message"]).strip()
    except (ValueError, KeyError, TypeError):
        return text.strip()[:300] or "no reason given"
