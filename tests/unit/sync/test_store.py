"""The ancestor on disk: whole, in a journal, and after whatever happened to either."""

from __future__ import annotations

import os
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.sync.core.entries import Entry, Tree, file, folder, link
from devenv.sync.core.given import received
from devenv.sync.core.guards import Replica
from devenv.sync.core.told import difference, tell
from devenv.sync.store import Ancestor, Store
from tests.unit.sync.trees import LONG, ODD_ROOT, ROOT

HOST, CONTAINER = Replica("h", 1), Replica("c", 2)


def ancestor(number: int) -> Ancestor:
    """A tree of some size in which one file is another one each time."""
    many = {f"f{at}": file(bytes(31) + bytes([at])) for at in range(50)}
    odd = {os.fsdecode(b"caf\xe9"): link("a\n"), "changing": file(number.to_bytes(32, "big"), number % 2 == 1)}
    return Ancestor(folder({"many": folder(many), **odd}), HOST, CONTAINER)


def journal(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "ancestor.journal"


def test_changes_are_appended_and_found_again(tmp_path: pathlib.Path) -> None:
    store = Store(tmp_path / "ancestor")
    assert store.load() == Ancestor()
    store.save(ancestor(0))
    snapshot = (tmp_path / "ancestor").read_bytes()
    for number in range(1, 5):
        store.save(ancestor(number))
        assert Store(tmp_path / "ancestor").load() == ancestor(number)
    assert (tmp_path / "ancestor").read_bytes() == snapshot
    again = Store(tmp_path / "ancestor")
    again.load()
    again.save(ancestor(5))
    assert Store(tmp_path / "ancestor").load() == ancestor(5)
    assert (tmp_path / "ancestor").read_bytes() == snapshot


def test_much_that_is_new_is_written_whole_and_the_old_journal_does_not_count(tmp_path: pathlib.Path) -> None:
    store = Store(tmp_path / "ancestor")
    store.save(ancestor(0))
    store.save(ancestor(1))
    old = journal(tmp_path).read_bytes()
    big = Ancestor(folder({f"n{at}": file(at.to_bytes(32, "big")) for at in range(3000)}), HOST, CONTAINER)
    store.save(big)
    assert journal(tmp_path).read_bytes() == old
    assert Store(tmp_path / "ancestor").load() == big
    store.save(Ancestor())
    assert Store(tmp_path / "ancestor").load() == Ancestor()


@pytest.mark.parametrize("damage", ["cut", "flipped", "swapped"])
def test_a_journal_counts_up_to_where_it_is_whole(damage: str, tmp_path: pathlib.Path) -> None:
    store = Store(tmp_path / "ancestor")
    store.save(ancestor(0))
    ends = []
    for number in range(1, 4):
        store.save(ancestor(number))
        ends.append(journal(tmp_path).stat().st_size)
    data = bytearray(journal(tmp_path).read_bytes())
    if damage == "cut":
        del data[ends[1] + 20 :]
    elif damage == "flipped":
        data[-3] ^= 1
    else:  # a record that is whole, in a place that is not its own
        data[ends[1] :] = data[ends[0] : ends[1]]
    journal(tmp_path).write_bytes(data)
    again = Store(tmp_path / "ancestor")
    assert again.load() == ancestor(2)
    again.save(ancestor(9))
    assert Store(tmp_path / "ancestor").load() == ancestor(9)


def test_every_cut_is_an_ancestor_that_once_was(tmp_path: pathlib.Path) -> None:
    store = Store(tmp_path / "ancestor")
    for number in range(3):
        store.save(ancestor(number))
    data = journal(tmp_path).read_bytes()
    found = set()
    for length in range(len(data) + 1):
        journal(tmp_path).write_bytes(data[:length])
        loaded = Store(tmp_path / "ancestor").load()
        found.add([ancestor(number) for number in range(3)].index(loaded))
    assert found == {0, 1, 2}


@LONG
@given(st.one_of(st.none(), ROOT, ODD_ROOT), st.one_of(st.none(), ROOT, ODD_ROOT))
def test_a_difference_makes_the_one_the_other(old: Tree, new: Tree) -> None:
    old, new = whole(old), whole(new)
    assert received(None, tell(new), whole=True) == new
    assert received(old, difference(old, new)) == new


def whole(tree: Tree) -> Tree:
    """With digests of a length that is one."""
    if tree is None:
        return None
    if tree.digest:
        return file(tree.digest * 32, tree.executable)
    return Entry(
        tree.kind,
        target=tree.target,
        text=tree.text,
        children=folder(
            {name: child for name, was in tree.children.items() if (child := whole(was)) is not None}
        ).children,
    )
