"""Frames: the unit of every conversation of the agent (with the host, and with its keepers).

A frame is `>IIB` (payload length, channel, kind) and then the payload, at most 1 MiB. What comes in is never trusted:
anything that is not a frame raises `ProtocolError`, and the conversation ends.
"""

import struct

from . import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAGIC = b"\x00devenv-agent/1\n"
HEADER = struct.Struct(">IIB")
LIMIT = 1 << 20  # bytes of payload

REQUEST = 1
REPLY = 2
EVENT = 3
DATA = 4
EOF = 5
CLOSE = 6
WINDOW = 7
PING = 8
PONG = 9

IN = 0
OUT = 1
ERR = 2
EVENTS = 3

CREDIT = 1 << 20  # bytes that each direction of a channel may send before the first WINDOW
CHUNK = 1 << 16  # bytes of one DATA frame that we send, so that channels take turns


class ProtocolError(Exception):
    """The far side sent what no correct peer sends. The conversation cannot go on."""


def encode(kind: int, channel: int, payload: bytes = b"") -> bytes:
    return HEADER.pack(len(payload), channel, kind) + payload


def encode_json(kind: int, channel: int, value: "Any") -> bytes:
    return encode(kind, channel, jsontext.dumps(value).encode("utf-8", "surrogateescape"))


def decode_json(payload: bytes) -> "dict[str, Any]":
    """The JSON object in `payload`; `ProtocolError` when it is none."""
    try:
        value = jsontext.loads(payload.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError("not JSON: %s" % error) from error
    if not isinstance(value, dict):
        raise ProtocolError("not a JSON object")
    return value


class Decoder:
    """Cuts a byte stream into frames. Holds at most one incomplete frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> "list[tuple[int, int, bytes]]":
        """The frames (kind, channel, payload) that `data` completes."""
        buffer = self._buffer
        buffer += data
        frames = []
        start = 0
        have = len(buffer)
        while have - start >= HEADER.size:
            length, channel, kind = HEADER.unpack_from(buffer, start)
            if length > LIMIT or not REQUEST <= kind <= PONG:
                raise ProtocolError("bad frame: kind %d, %d bytes" % (kind, length))
            stop = start + HEADER.size + length
            if have < stop:
                break
            frames.append((kind, channel, bytes(memoryview(buffer)[start + HEADER.size : stop])))
            start = stop
        if start:
            del buffer[:start]
        return frames
