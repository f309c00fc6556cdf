"""Frames and trees between the two sides: alike when they arrive, and refused when they are not what they should be."""

from __future__ import annotations

import json
import os
import random
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given

from devenv.sync.core.entries import Entry, Tree
from devenv.sync.core.given import Untrustworthy, as_node, received
from devenv.sync.core.told import difference, tell
from devenv.sync.side import wire
from tests.unit.sync.test_store import whole
from tests.unit.sync.trees import LONG, ODD_ROOT, ROOT

F = "f" + "00" * 32


def test_messages_arrive_whole_however_long_and_however_cut() -> None:
    values = [{"op": "scan"}, {"steps": ["x" * 1000] * 5000}, [], {"name": os.fsdecode(b"caf\xe9\n")}]
    stream = b"".join(wire.message(wire.REQUEST, value) for value in values) + wire.frame(wire.EVENT)
    for cut in (1 << 30, 65536, 4099):
        frames = wire.Frames()
        found = [each for at in range(0, len(stream), cut) for each in frames.feed(stream[at : at + cut])]
        assert [kind for kind, _ in found] == [wire.REQUEST] * 4 + [wire.EVENT]
        assert [json.loads(payload) for _, payload in found[:4]] == values


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(struct.pack(">BI", wire.DATA, wire.MOST + 1), id="a frame that is too long"),
        pytest.param(struct.pack(">BI", 99, 0), id="a kind that is none"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n", id="another protocol"),
        pytest.param(wire.frame(wire.PART, bytes(600)) * 2, id="a message that is too long"),
    ],
)
def test_frames_that_mean_harm(stream: bytes) -> None:
    with pytest.raises(wire.Broken):
        wire.Frames(most=1000).feed(stream)


@LONG
@given(ODD_ROOT)
def test_a_tree_is_the_same_tree_afterwards(tree: Entry) -> None:
    node = as_node(whole(tree))
    assert wire.hear(wire.say(node)) == node
    assert wire.say(node) == tell(whole(tree))
    assert received(None, wire.unpacked(wire.packed(wire.say(node))), whole=True) == whole(tree)


@LONG
@given(ODD_ROOT, ODD_ROOT)
def test_a_delta_makes_the_one_the_other_and_shares_what_is_equal(old: Tree, new: Tree) -> None:
    old, new = whole(old), whole(new)
    told = wire.delta(as_node(old), as_node(new))
    assert told == difference(old, new)
    found = received(old, told)
    assert found == new
    if old == new:
        assert found is old


@LONG
@given(ODD_ROOT)
def test_what_was_expected_is_told_by_what_is_not_tracked(tree: Entry) -> None:
    node = as_node(whole(tree))
    base = received(None, wire.tracked(node), whole=True)
    assert wire.fingerprint(tell(base)) == wire.fingerprint(wire.tracked(node))
    assert received(base, wire.others(node)) == whole(tree)


@given(ROOT, ROOT)
def test_other_trees_have_other_fingerprints(one: Tree, other: Tree) -> None:
    same = wire.fingerprint(tell(whole(one))) == wire.fingerprint(tell(whole(other)))
    assert same == (one == other)


def deep(depth: int) -> Any:
    said: Any = {}
    for _ in range(depth):
        said = {"a": said}
    return said


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"..": F}, id="above"),
        pytest.param({".": F}, id="itself"),
        pytest.param({"a/b": F}, id="a path"),
        pytest.param({"": F}, id="no name"),
        pytest.param({"a\0": F}, id="NUL"),
        pytest.param({"a" * 256: F}, id="a long name"),
        pytest.param({"\ud800": F}, id="half a surrogate pair"),
        pytest.param({"a": "f12"}, id="half a byte"),
        pytest.param({"a": "f1234"}, id="a short digest"),
        pytest.param({"a": "fzz"}, id="no digest"),
        pytest.param({"a": "f" + "zz" * 32}, id="no digest, of its length"),
        pytest.param({"a": "f" + "00" * 31 + "  "}, id="a digest with spaces"),
        pytest.param({"a": ""}, id="nothing"),
        pytest.param({"a": "q"}, id="a kind that is none"),
        pytest.param({"a": "ux"}, id="more than untracked"),
        pytest.param({"a": "l"}, id="a link to nothing"),
        pytest.param({"a": "la\0b"}, id="a link with NUL"),
        pytest.param({"a": "l" + "x" * 5000}, id="a long link"),
        pytest.param({"a": 3}, id="a number"),
        pytest.param({"a": ["f"]}, id="a list"),
        pytest.param([], id="a list as root"),
        pytest.param({"/": 0, "a": None}, id="what goes was not there"),
        pytest.param({"b": {"/": 0}}, id="a change of what is not there"),
        pytest.param(deep(300), id="too deep"),
    ],
)
def test_trees_that_mean_harm(said: Any) -> None:
    with pytest.raises(Untrustworthy):
        received(None, said)


def test_a_whole_tree_has_no_changes_in_it() -> None:
    before = received(None, {"a": {"b": F}}, whole=True)
    with pytest.raises(Untrustworthy, match="change"):
        received(before, {"a": {"/": 0}}, whole=True)
    with pytest.raises(Untrustworthy, match="change"):
        received(before, {"a": {"b": {"/": 0}}})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="not packed"),
        pytest.param(zlib.compress(b"{}")[:-3], id="cut"),
        pytest.param(zlib.compress(b"[" * 100_000), id="without end"),
        pytest.param(zlib.compress(b"\xff"), id="no text"),
        pytest.param(zlib.compress(b"{" + b" " * (1 << 24) + b"}", 9), id="a bomb"),
    ],
)
def test_packed_trees_that_mean_harm(data: bytes) -> None:
    with pytest.raises(wire.Broken):
        wire.unpacked(data, 1 << 20)


def test_noise_is_broken_or_waits_for_more() -> None:
    chance = random.Random(3)
    broken = 0
    for _ in range(2000):
        frames = wire.Frames(most=10_000)
        try:
            frames.feed(chance.randbytes(chance.randrange(1, 60)))
        except wire.Broken:
            broken += 1
    assert broken > 1000
