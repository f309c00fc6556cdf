from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.agent import frames, jsontext

FRAME = st.tuples(st.integers(1, 9), st.integers(0, 2**32 - 1), st.binary(max_size=300))
VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.lists(FRAME), st.integers(1, 50))
def test_frames_survive_any_cut(items: list[tuple[int, int, bytes]], step: int) -> None:
    data = b"".join(frames.encode(kind, channel, payload) for kind, channel, payload in items)
    decoder = frames.Decoder()
    got = []
    for at in range(0, len(data), step):
        got += decoder.feed(data[at : at + step])
    assert got == items


@pytest.mark.parametrize(
    "data", [b"\0\x10\0\x01\0\0\0\0\x01", b"\0\0\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0\x0a", b"\xff" * 9]
)
def test_no_frame_at_all(data: bytes) -> None:
    with pytest.raises(frames.ProtocolError):
        frames.Decoder().feed(data)


@given(st.binary(max_size=200))
def test_any_payload_is_an_object_or_an_error(data: bytes) -> None:
    try:
        assert isinstance(frames.decode_json(data), dict)
    except frames.ProtocolError:
        pass


@given(VALUES)
def test_the_small_json_agrees_with_the_real_one(value: Any) -> None:
    assert json.loads(jsontext.small_dumps(value)) == value
    assert jsontext.small_loads(json.dumps(value)) == value
    assert jsontext.small_loads(json.dumps(value, ensure_ascii=False, indent=1)) == value


@given(st.text(alphabet='{}[]",:\\u0123abcdef tfn-.e1', max_size=30))
def test_the_small_json_refuses_what_the_real_one_refuses(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            jsontext.small_loads(text)
    else:
        assert jsontext.small_loads(text) == expected


def test_a_lone_surrogate_and_great_depth() -> None:
    assert jsontext.small_loads('"\\udc80"') == "\udc80"
    assert json.loads(jsontext.small_dumps("\udc80")) == "\udc80"
    with pytest.raises(ValueError):
        jsontext.small_loads("[" * 10000)
