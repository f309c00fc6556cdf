"""Frames come out whole whatever the pieces they arrive in; what breaks the rules is noticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.link.codec import HEADER, MAGIC, MAX_PAYLOAD, FrameReader, Kind, ProtocolViolation, data_header, encode

FRAMES = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(max_size=3000)), min_size=1, max_size=8
)


def read(reader: FrameReader, piece: bytes) -> list[tuple[int, int, bytes]]:
    return [(frame.channel, frame.kind, bytes(frame.payload)) for frame in reader.feed(piece)]


@given(FRAMES, st.lists(st.integers(1, 5000), max_size=30))
def test_any_cut_gives_the_same_frames(frames: list[tuple[int, int, bytes]], cuts: list[int]) -> None:
    wire = b"".join(encode(kind, channel, payload) for channel, kind, payload in frames)
    reader = FrameReader()
    found = []
    position = 0
    for cut in cuts:
        found += read(reader, wire[position : position + cut])
        position += cut
    found += read(reader, wire[position:])
    assert found == frames
    assert not reader.mid_frame


def test_byte_by_byte() -> None:
    wire = encode(Kind.DATA, 3, b"\x01abc") + encode(Kind.PING, 0)
    reader = FrameReader()
    found = [frame for number in range(len(wire)) for frame in read(reader, wire[number : number + 1])]
    assert found == [(3, Kind.DATA, b"\x01abc"), (0, Kind.PING, b"")]


def test_the_largest_frame_passes_and_a_larger_one_does_not() -> None:
    assert len(read(FrameReader(), encode(Kind.DATA, 1, bytes(MAX_PAYLOAD)))[0][2]) == MAX_PAYLOAD
    with pytest.raises(ProtocolViolation):
        list(FrameReader().feed(HEADER.pack(MAX_PAYLOAD + 1, 1, Kind.DATA)))


def test_a_larger_one_is_noticed_across_pieces_too() -> None:
    header = HEADER.pack(MAX_PAYLOAD + 1, 1, Kind.DATA)
    reader = FrameReader()
    assert list(reader.feed(header[:5])) == []
    with pytest.raises(ProtocolViolation):
        list(reader.feed(header[5:]))


def test_data_header_announces_what_follows() -> None:
    assert read(FrameReader(), data_header(7, 2, 3) + b"abc") == [(7, Kind.DATA, b"\x02abc")]


def test_the_magic_has_sixteen_bytes() -> None:
    assert len(MAGIC) == 16
