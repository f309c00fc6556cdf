"""What a container sends is data: a good tree comes through, everything else is refused as a whole."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.sync.core.entries import UNTRACKED, file, folder, link, problem
from devenv.sync.core.given import MOST_DEPTH, Untrustworthy, is_gits, parse
from devenv.sync.side.scan import Scanner

DIGEST = bytes(32)


def test_a_tree_as_it_is_scanned(tmp_path: pathlib.Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / os.fsdecode(b"\xff")).write_text("x")
    (tmp_path / "l").symlink_to("d")
    os.mkfifo(tmp_path / "p")
    scanned = Scanner(str(tmp_path), lambda path, is_folder: False).scan()
    tree = parse(scanned)
    assert tree is not None and set(tree.children) == {"d", "l", "p"}
    assert tree.children["p"] is UNTRACKED and tree.children["l"] == link("d")
    assert list(tree.children["d"].children) == ["\udcff"]
    assert parse(None) is None
    assert parse(["d", {"x": ["f", DIGEST, True], "y": ["p", "EIO"]}]) == folder(
        {"x": file(DIGEST, True), "y": problem("EIO")}
    )


def deep(levels: int) -> Any:
    node: Any = ("d", {})
    for _ in range(levels):
        node = ("d", {"d": node})
    return node


@pytest.mark.parametrize(
    "node",
    [
        *(
            pytest.param(("d", {name: ("u",)}), id=repr(name)[:20])
            for name in ("", ".", "..", "a/b", "a\0b", "x" * 256)
        ),
        pytest.param(("d", {"\ud800": ("u",)}), id="half a character"),
        pytest.param(("d", {b"x": ("u",)}), id="bytes for a name"),
        pytest.param(("d", ["x"]), id="a list of children"),
        pytest.param(("f", b"short", False), id="a short digest"),
        pytest.param(("f", "0" * 32, False), id="text for a digest"),
        pytest.param(("f", DIGEST, 1), id="a number for a bit"),
        pytest.param(("f", DIGEST), id="too few"),
        pytest.param(("l", ""), id="a link to nothing"),
        pytest.param(("l", "a\0b"), id="a link with a zero"),
        pytest.param(("x",), id="another kind"),
        pytest.param((), id="nothing"),
        pytest.param("d", id="text"),
        pytest.param({"d": 1}, id="a map"),
        pytest.param(deep(MOST_DEPTH + 2), id="too deep"),
    ],
)
def test_anything_else_is_refused(node: Any) -> None:
    with pytest.raises(Untrustworthy):
        parse(("d", {"good": ("u",), "bad": node}))


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.binary(max_size=40)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(st.sampled_from("dflup"), inner),
        st.dictionaries(st.text(max_size=3), inner),
    ),
    max_leaves=10,
)


@given(ANYTHING)
def test_nothing_else_than_a_refusal_comes_of_it(node: Any) -> None:
    try:
        parse(node)
    except Untrustworthy:
        pass


@pytest.mark.parametrize(
    "name", [".git", ".GIT", ".g\u200cit", ".Git ", ".git.", "git~1", "\ufeff.git", "\uff0egit", ".\uff27it"]
)
def test_names_that_are_gits_somewhere(name: str) -> None:
    assert is_gits(name)


@pytest.mark.parametrize("name", [".gitignore", "git", ".github", ".gitt", "x.git"])
def test_names_that_are_not(name: str) -> None:
    assert not is_gits(name)
