"""BuildKit's protobuf messages; the bytes are written here by the wire format's own rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.engine import build_trace


def varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def text(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def stamp(seconds: int, nanoseconds: int) -> bytes:
    return number(1, seconds) + (number(2, nanoseconds) if nanoseconds else b"")


def test_all_four_kinds_of_message() -> None:
    vertex = (
        text(1, b"sha256:aa")
        + text(2, b"sha256:before")
        + text(3, "[2/3] RUN ü".encode())
        + number(4, 1)
        + text(5, stamp(1_800_000_000, 5_000_000))
        + text(6, stamp(1_800_000_002, 0))
        + text(7, b"exit code: 2")
        + text(8, b"a group, which we do not know")
    )
    status = text(1, b"layer") + text(2, b"sha256:aa") + number(4, 300) + number(5, 70_000)
    log = text(1, b"sha256:aa") + number(3, 2) + text(4, b"bad\xff\n")
    fixed = varint(9 << 3 | 1) + b"8 bytes." + varint(10 << 3 | 5) + b"four"
    message = text(1, vertex) + text(2, status) + text(3, log + fixed) + text(4, text(3, b"old syntax"))
    assert build_trace.decode(message) == {
        "vertexes": [
            {
                "digest": "sha256:aa",
                "name": "[2/3] RUN ü",
                "cached": 1,
                "started": "2027-01-15T08:00:00.005000000Z",
                "completed": "2027-01-15T08:00:02.000000000Z",
                "error": "exit code: 2",
            }
        ],
        "statuses": [{"id": "layer", "vertex": "sha256:aa", "current": 300, "total": 70000}],
        "logs": [{"vertex": "sha256:aa", "stream": 2, "data": b"bad\xff\n"}],
        "warnings": [{"short": b"old syntax"}],
    }


@pytest.mark.parametrize("message", [b"\x80", b"\x0a\x05abc", b"\x0b", b"\x80" * 11 + b"\x01"])
def test_what_is_no_message(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        build_trace.decode(message)


@given(st.binary(max_size=200))
def test_anything_is_read_or_refused(message: bytes) -> None:
    try:
        build_trace.decode(message)
    except ValueError:
        pass
