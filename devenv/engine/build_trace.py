"""What BuildKit tells of a build through the engine's API: `moby.buildkit.control.v1.StatusResponse`, in protobuf.

Four kinds of message and a dozen scalar fields do not need generated classes; fields that are not known are skipped.
Source: api/services/control/control.proto of moby/buildkit.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_VERTEX = {1: "digest", 3: "name", 4: "cached", 5: "started", 6: "completed", 7: "error"}
_STATUS = {1: "id", 2: "vertex", 3: "name", 4: "current", 5: "total"}
_LOG = {1: "vertex", 3: "stream", 4: "data"}
_WARNING = {1: "vertex", 3: "short"}
_LISTS = {1: ("vertexes", _VERTEX), 2: ("statuses", _STATUS), 3: ("logs", _LOG), 4: ("warnings", _WARNING)}
_TEXTS = frozenset({"digest", "name", "error", "id", "vertex"})
_TIMES = frozenset({"started", "completed"})


def decode(message: bytes) -> dict[str, list[dict[str, Any]]]:
    """As the objects of `--progress=rawjson`, but `data` and `short` are bytes. Raises ValueError for what is none."""
    found: dict[str, list[dict[str, Any]]] = {}
    for number, value in _fields(message):
        if number in _LISTS and isinstance(value, bytes):
            name, known = _LISTS[number]
            found.setdefault(name, []).append(_object(value, known))
    return found


def _object(message: bytes, known: dict[int, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _fields(message):
        name = known.get(number)
        if name is None:
            continue
        if isinstance(value, bytes) and name in _TEXTS:
            found[name] = value.decode("utf-8", "replace")
        elif isinstance(value, bytes) and name in _TIMES:
            found[name] = _stamp(value)
        else:
            found[name] = value
    return found


def _stamp(message: bytes) -> str:
    """A `google.protobuf.Timestamp` as RFC 3339."""
    parts = {number: value for number, value in _fields(message) if isinstance(value, int)}
    try:
        moment = datetime.datetime.fromtimestamp(parts.get(1, 0), datetime.UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("no time") from error
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{parts.get(2, 0):09}Z"


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + length > len(message):
            raise ValueError("cut off")
        yield number, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("no number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
