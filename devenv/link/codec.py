"""Frames of the agent's wire protocol, version 1: bytes to frames and back. No sockets, no asyncio, no JSON.

A frame is `>IIB` (payload length, channel, kind) and its payload of at most 1 MiB. A far side that breaks the
rules raises `ProtocolViolation`: the link that read it must be closed, nothing after it can be trusted.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import NamedTuple

HEADER = struct.Struct(">IIB")
MAGIC = b"\x00devenv-agent/1\n"
MAX_PAYLOAD = 1 << 20
MAX_NOISE = 64 << 10  # bytes before the magic that are read past: login banners, warnings of the interpreter
INITIAL_CREDIT = 1 << 20
WINDOW = struct.Struct(">I")


class Kind(enum.IntEnum):
    REQUEST = 1
    REPLY = 2
    EVENT = 3
    DATA = 4
    EOF = 5
    CLOSE = 6
    WINDOW = 7
    PING = 8
    PONG = 9


class ProtocolViolation(Exception):
    """The far side sent what the protocol forbids."""


class Frame(NamedTuple):
    channel: int
    kind: int
    payload: memoryview  # valid until the next call of `FrameReader.feed` only


def encode(kind: int, channel: int, payload: bytes = b"") -> bytes:
    """One frame, for small payloads; bulk data goes out as `data_header` followed by the data itself, uncopied."""
    return HEADER.pack(len(payload), channel, kind) + payload


def data_header(channel: int, stream: int, size: int) -> bytes:
    """What stands before `size` bytes of DATA: the header and the sub-stream byte."""
    return HEADER.pack(size + 1, channel, Kind.DATA) + bytes((stream,))


class FrameReader:
    """Cuts a byte stream into frames, whatever the pieces it arrives in.

    Whole frames inside a piece are not copied. Only a frame that spans pieces is collected.
    """

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, piece: bytes | bytearray | memoryview) -> Iterator[Frame]:
        """The frames that `piece` completes. The iterator must be run to its end before the next call."""
        view = memoryview(piece)
        if self._partial:
            taken = self._complete(view)
            view = view[taken:]
            whole = self._whole(self._partial)
            if whole is None:
                return
            partial = self._partial
            self._partial = bytearray()
            yield from self._cut(memoryview(partial))
        yield from self._cut(view)

    @property
    def mid_frame(self) -> bool:
        return bool(self._partial)

    def _complete(self, view: memoryview) -> int:
        """Moves what the begun frame lacks from `view`; says how many bytes it took."""
        taken = 0
        if len(self._partial) < HEADER.size:
            taken = min(HEADER.size - len(self._partial), len(view))
            self._partial += view[:taken]
        if len(self._partial) >= HEADER.size:
            size = HEADER.size + self._length(self._partial, 0)
            more = min(size - len(self._partial), len(view) - taken)
            self._partial += view[taken : taken + more]
            taken += more
        return taken

    def _whole(self, data: bytearray) -> int | None:
        if len(data) < HEADER.size:
            return None
        size = HEADER.size + self._length(data, 0)
        return size if len(data) >= size else None

    def _cut(self, view: memoryview) -> Iterator[Frame]:
        position, end = 0, len(view)
        while end - position >= HEADER.size:
            length, channel, kind = HEADER.unpack_from(view, position)
            if length > MAX_PAYLOAD:
                raise ProtocolViolation(f"a frame of {length} bytes, more than {MAX_PAYLOAD}")
            start = position + HEADER.size
            if end - start < length:
                break
            position = start + length
            yield Frame(channel, kind, view[start:position])
        if position < end:
            self._partial += view[position:]

    @staticmethod
    def _length(data: bytearray, position: int) -> int:
        length = int(HEADER.unpack_from(data, position)[0])
        if length > MAX_PAYLOAD:
            raise ProtocolViolation(f"a frame of {length} bytes, more than {MAX_PAYLOAD}")
        return length
