"""The rules of merging one by one, and what holds for any three trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.sync.core.entries import (
    EMPTY,
    UNTRACKED,
    Entry,
    Kind,
    Tree,
    file,
    folder,
    link,
    problem,
    tracked_part,
    walk,
)
from devenv.sync.core.given import MOST_DEPTH
from devenv.sync.core.merge import Merged, Mode, ModeOf, Why, merge
from tests.unit.sync.trees import LONG, ODD, triples

A, B, C, D = (file(name * 4) for name in (b"a", b"b", b"c", b"d"))
RUN = file(A.digest, executable=True)


def tree(**children: Any) -> Entry:
    return folder(children)


def outcome(ancestor: Tree, host: Tree, container: Tree, mode: Mode = Mode.TWO_WAY_SAFE) -> tuple[Tree, Tree, Tree]:
    merged = merge(ancestor, host, container, mode)
    assert merged.conflicts == ()
    return merged.ancestor, merged.host, merged.container


@pytest.mark.parametrize(
    ("ancestor", "host", "container", "wanted"),
    [
        pytest.param(None, A, None, A, id="created on the host"),
        pytest.param(None, None, A, A, id="created in the container"),
        pytest.param(None, A, A, A, id="created alike"),
        pytest.param(A, B, A, B, id="edited on the host"),
        pytest.param(A, A, B, B, id="edited in the container"),
        pytest.param(A, B, B, B, id="edited alike"),
        pytest.param(A, None, A, None, id="deleted on the host"),
        pytest.param(A, A, None, None, id="deleted in the container"),
        pytest.param(A, None, None, None, id="deleted on both"),
        pytest.param(A, None, B, B, id="an edit outlives a deletion"),
        pytest.param(A, B, None, B, id="an edit outlives a deletion, the other way"),
        pytest.param(A, RUN, A, RUN, id="made executable"),
        pytest.param(A, RUN, B, file(B.digest, True), id="made executable here, edited there"),
        pytest.param(RUN, A, file(B.digest, True), B, id="no longer executable here, edited there"),
        pytest.param(A, link("b"), A, link("b"), id="a file becomes a link"),
        pytest.param(tree(x=A), A, tree(x=A), A, id="a folder becomes a file"),
        pytest.param(A, tree(x=A), A, tree(x=A), id="a file becomes a folder"),
        pytest.param(None, EMPTY, None, EMPTY, id="an empty folder"),
        pytest.param(tree(x=A, y=A), None, tree(x=B, y=A), tree(x=B), id="a deleted folder returns for an edit alone"),
        pytest.param(tree(x=A), None, tree(x=A, z=B), tree(z=B), id="a deleted folder returns for a new file alone"),
        pytest.param(tree(x=A, y=A), None, tree(x=A), None, id="the larger deletion"),
        pytest.param(tree(x=A, y=A), tree(x=A), B, B, id="a deletion within, and a file in its place"),
        pytest.param(tree(x=A), tree(x=A, y=B), tree(x=C), tree(x=C, y=B), id="both, in different places"),
    ],
)
def test_what_both_sides_become(ancestor: Tree, host: Tree, container: Tree, wanted: Tree) -> None:
    assert outcome(ancestor, host, container) == (wanted, wanted, wanted)


@pytest.mark.parametrize(
    ("ancestor", "host", "container", "why"),
    [
        pytest.param(A, B, C, Why.BOTH_CHANGED, id="edited differently"),
        pytest.param(None, A, B, Why.BOTH_CHANGED, id="created differently"),
        pytest.param(None, A, RUN, Why.BOTH_CHANGED, id="created with another mode"),
        pytest.param(tree(x=A), B, tree(x=C), Why.BOTH_CHANGED, id="a file for a folder that was edited"),
        pytest.param(A, problem("denied"), A, Why.UNREADABLE, id="unreadable"),
        pytest.param(A, problem("denied"), None, Why.UNREADABLE, id="unreadable and deleted"),
        pytest.param(A, UNTRACKED, A, Why.IN_THE_WAY, id="a socket in its place"),
        pytest.param(tree(x=A), tree(x=A, log=UNTRACKED), B, Why.IN_THE_WAY, id="ignored files in the folder's place"),
    ],
)
def test_what_is_left_alone_on_both_sides(ancestor: Tree, host: Tree, container: Tree, why: Why) -> None:
    merged = merge(ancestor, host, container)
    assert (merged.ancestor, merged.host, merged.container) == (ancestor, host, container)
    assert [(found.path, found.why) for found in merged.conflicts] == [("", why)]
    turned = merge(ancestor, container, host)
    assert [(found.path, found.why) for found in turned.conflicts] == [("", why)]


def test_a_deleted_folder_keeps_what_is_ignored_in_it_and_does_not_come_back() -> None:
    before = tree(src=tree(x=A, deep=tree(y=B)))
    there = tree(src=tree(x=A, deep=tree(y=B, cache=UNTRACKED), log=UNTRACKED))
    left = tree(src=tree(deep=tree(cache=UNTRACKED), log=UNTRACKED))
    assert outcome(before, EMPTY, there) == (EMPTY, EMPTY, left)
    assert outcome(EMPTY, EMPTY, left) == (EMPTY, EMPTY, left)
    assert outcome(before, there, EMPTY) == (EMPTY, left, EMPTY)


def test_paths_that_a_new_rule_ignores_stay_where_they_are() -> None:
    assert outcome(tree(x=A, y=A), tree(x=UNTRACKED, y=A), tree(x=UNTRACKED, y=A)) == (
        tree(y=A),
        tree(x=UNTRACKED, y=A),
        tree(x=UNTRACKED, y=A),
    )
    # and no rule any more: as at the first time
    assert merge(tree(y=A), tree(x=A, y=A), tree(x=B, y=A)).conflicts[0].why is Why.BOTH_CHANGED


def test_an_unreadable_folder_is_not_deleted_and_not_forgotten() -> None:
    before = tree(d=tree(x=A, closed=tree(y=B)))
    host = tree(d=tree(x=A, closed=problem("EACCES")))
    merged = merge(before, host, EMPTY)
    assert merged.host == tree(d=tree(closed=problem("EACCES")))
    assert merged.container == EMPTY
    assert merged.ancestor == tree(d=tree(closed=tree(y=B)))
    assert [found.path for found in merged.conflicts] == ["d/closed"]
    # readable again, the deletion is completed
    assert outcome(merged.ancestor, tree(d=tree(closed=tree(y=B))), EMPTY) == (EMPTY, EMPTY, EMPTY)


@pytest.mark.parametrize(
    ("mode", "ancestor", "host", "container", "wanted"),
    [
        (Mode.PREFER_HOST, A, B, C, (B, B, B)),
        (Mode.PREFER_HOST, None, B, C, (B, B, B)),
        (Mode.PREFER_HOST, A, A, C, (C, C, C)),
        (Mode.PREFER_HOST, A, None, C, (C, C, C)),
        (Mode.PREFER_HOST, tree(x=A), B, tree(x=C), (B, B, B)),
        (Mode.TO_CONTAINER, A, B, A, (B, B, B)),
        (Mode.TO_CONTAINER, A, None, A, (None, None, None)),
        (Mode.TO_CONTAINER, None, None, A, (None, None, A)),
        (Mode.TO_CONTAINER, A, B, B, (B, B, B)),
        (Mode.TO_HOST, A, A, B, (B, B, B)),
        (Mode.TO_HOST, None, A, None, (None, A, None)),
        (Mode.TO_HOST, A, A, None, (None, None, None)),
        (Mode.OVER_CONTAINER, A, B, C, (B, B, B)),
        (Mode.OVER_CONTAINER, A, B, None, (B, B, B)),
        (Mode.OVER_CONTAINER, A, A, C, (A, A, C)),
        (Mode.OVER_CONTAINER, A, A, None, (A, A, None)),
        (Mode.OVER_CONTAINER, A, None, A, (None, None, None)),
        (Mode.OVER_CONTAINER, A, None, C, (A, None, C)),
        (Mode.OVER_CONTAINER, None, None, C, (None, None, C)),
    ],
)
def test_modes(mode: Mode, ancestor: Tree, host: Tree, container: Tree, wanted: tuple[Tree, Tree, Tree]) -> None:
    assert outcome(ancestor, host, container, mode) == wanted


@pytest.mark.parametrize(
    ("mode", "ancestor", "host", "container"),
    [
        (Mode.TO_CONTAINER, A, A, B),
        (Mode.TO_CONTAINER, A, A, None),
        (Mode.TO_CONTAINER, A, B, C),
        (Mode.TO_CONTAINER, None, B, C),
        (Mode.TO_CONTAINER, A, None, C),
        (Mode.TO_HOST, A, B, A),
        (Mode.TO_HOST, A, B, C),
    ],
)
def test_a_change_on_the_side_that_receives_is_told(mode: Mode, ancestor: Tree, host: Tree, container: Tree) -> None:
    merged = merge(ancestor, host, container, mode)
    assert (merged.ancestor, merged.host, merged.container) == (ancestor, host, container)
    assert [found.why for found in merged.conflicts] == [Why.ONLY_ONE_WAY]


# a mode for each path


def by_path(**modes: Mode) -> ModeOf:
    """What lies at, or below, a name of the root has its mode; the rest goes both ways."""
    return lambda path: modes.get(path.partition("/")[0].lstrip("."), Mode.TWO_WAY_SAFE)


def below(name: str, mode: Mode) -> ModeOf:
    """A name has its mode wherever it is."""
    return lambda path: mode if name in path.split("/") else Mode.TWO_WAY_SAFE


def pieces(ancestor: Tree, host: Tree, container: Tree, mode: ModeOf) -> tuple[Tree, Tree, Tree, list[str]]:
    merged = merge(ancestor, host, container, mode)
    again = merge(merged.ancestor, merged.host, merged.container, mode)
    assert (again.ancestor, again.host, again.container) == (merged.ancestor, merged.host, merged.container)
    return merged.ancestor, merged.host, merged.container, [found.path for found in merged.conflicts]


def test_outputs_only_come_back() -> None:
    mode = by_path(runs=Mode.TO_HOST)
    before = tree(src=A, runs=tree(x=A, y=A))
    assert pieces(before, tree(src=B, runs=tree(x=B, y=A, own=D)), tree(src=A, runs=tree(x=A, y=C)), mode) == (
        tree(src=B, runs=tree(x=A, y=C)),
        tree(src=B, runs=tree(x=B, y=C, own=D)),
        tree(src=B, runs=tree(x=A, y=C)),
        ["runs/x"],
    )


def test_a_new_folder_is_given_piece_by_piece_where_its_modes_differ() -> None:
    mode = below("runs", Mode.TO_HOST)
    new = tree(lib=tree(src=A, runs=tree(x=B)))
    assert pieces(EMPTY, EMPTY, new, mode) == (new, new, new, [])
    assert pieces(EMPTY, new, EMPTY, mode) == (tree(lib=tree(src=A)), new, tree(lib=tree(src=A)), [])


def test_a_deleted_folder_goes_piece_by_piece_where_its_modes_differ() -> None:
    mode = below("runs", Mode.TO_HOST)
    before = tree(lib=tree(src=A, runs=tree(x=B)))
    assert pieces(before, before, EMPTY, mode) == (EMPTY, EMPTY, EMPTY, [])
    left = tree(lib=tree(runs=tree(x=B)))
    assert pieces(before, EMPTY, before, mode) == (left, EMPTY, left, ["lib/runs"])


def test_a_file_does_not_take_the_place_of_a_folder_with_several_modes() -> None:
    before = tree(lib=tree(src=A, runs=tree(x=B)))
    mode = below("runs", Mode.TO_HOST)
    assert pieces(before, tree(lib=C), before, mode) == (before, tree(lib=C), before, ["lib"])
    assert pieces(before, tree(lib=C), EMPTY, mode) == (before, tree(lib=C), EMPTY, ["lib"])


def test_git_waits_until_nobody_works_on_it() -> None:
    mode = by_path(git=Mode.TO_CONTAINER)
    committed = tree(**{".git": tree(HEAD=B), "src": B})
    busy = tree(**{".git": tree(**{"HEAD": B, "index.lock": C}), "src": B})
    before = tree(**{".git": tree(HEAD=A), "src": A})
    half = tree(**{".git": tree(HEAD=A), "src": B})
    assert pieces(before, busy, before, mode) == (half, busy, half, [])
    assert pieces(half, committed, half, mode) == (committed, committed, committed, [])
    inside = tree(**{".git": tree(HEAD=A, refs=tree(heads=tree(**{"main.lock": C}))), "src": A})
    assert pieces(before, committed, inside, mode)[0] == half
    new = tree(**{".git": tree(**{"HEAD": B, "index.lock": C})})
    assert pieces(None, new, EMPTY, mode) == (EMPTY, new, EMPTY, [])


def test_what_is_called_lock_among_gits_objects_is_no_lock() -> None:
    host = tree(**{".git": tree(objects=tree(ab=tree(**{"x.lock": A})))})
    assert pieces(None, host, EMPTY, by_path(git=Mode.TO_CONTAINER)) == (host, host, host, [])


def test_a_commit_inside_never_reaches_the_host() -> None:
    before = tree(**{".git": tree(HEAD=A, index=A)})
    inside = tree(**{".git": tree(HEAD=B, index=A, ORIG_HEAD=A)})
    merged = merge(before, before, inside, by_path(git=Mode.TO_CONTAINER))
    assert (merged.host, merged.container, merged.ancestor) == (before, inside, before)
    assert [(found.path, found.why) for found in merged.conflicts] == [(".git/HEAD", Why.ONLY_ONE_WAY)]


# any three trees

MODES = st.sampled_from(list(Mode))


@st.composite
def functions(draw: st.DrawFn, modes: st.SearchStrategy[Mode] = MODES) -> ModeOf:
    """Any mode for any path, with no order in it."""
    of_name = {name: draw(modes) for name in ("", "a", "b", "c")}
    deeper = draw(st.dictionaries(st.sampled_from(["a/a", "a/b", "b/a", "c/c", "a/b/c"]), modes))
    return lambda path: deeper.get(path, of_name[path.rpartition("/")[2]])


def contents(side: Tree) -> Mapping[str, Entry]:
    return {path: entry for path, entry in walk(side) if entry.kind in (Kind.FILE, Kind.LINK)}


def same_bytes(one: Entry | None, other: Entry | None) -> bool:
    return one is not None and other is not None and (one.digest, one.target) == (other.digest, other.target)


def untouched(side: Tree) -> Mapping[str, Entry]:
    return {path: entry for path, entry in walk(side) if entry.kind in (Kind.UNTRACKED, Kind.PROBLEM)}


@LONG
@given(triples())
def test_both_sides_are_alike_where_nothing_is_in_conflict(three: tuple[Tree, Entry, Entry]) -> None:
    merged = merge(*three)
    if not merged.conflicts:
        assert merged.host == merged.container == merged.ancestor
    places = tuple(found.path + "/" for found in merged.conflicts)
    for one, other in ((merged.host, merged.container), (merged.container, merged.host)):
        for path, entry in contents(one).items():
            assert contents(other).get(path) == entry or f"{path}/".startswith(places)


@LONG
@given(triples(ODD), MODES)
def test_a_second_time_there_is_nothing_to_do(three: tuple[Tree, Entry, Entry], mode: Mode) -> None:
    once = merge(*three, mode)
    again = merge(once.ancestor, once.host, once.container, mode)
    assert (again.ancestor, again.host, again.container) == (once.ancestor, once.host, once.container)
    assert {found.path for found in again.conflicts} == {found.path for found in once.conflicts}


@LONG
@given(triples(ODD))
def test_what_anybody_changed_is_on_one_of_the_sides(three: tuple[Tree, Entry, Entry]) -> None:
    ancestor, host, container = three
    merged = merge(*three)
    for side in (host, container):
        for path, entry in contents(side).items():
            if same_bytes(contents(ancestor).get(path), entry):
                continue
            there = (contents(merged.host).get(path), contents(merged.container).get(path))
            assert any(same_bytes(found, entry) for found in there), path


@LONG
@given(triples(ODD), MODES)
def test_nothing_is_deleted_that_nobody_deleted(three: tuple[Tree, Entry, Entry], mode: Mode) -> None:
    ancestor, host, container = three
    merged = merge(*three, mode)
    for before, after, other in ((host, merged.host, container), (container, merged.container, host)):
        for path in contents(before).keys() - contents(after).keys():
            assert path in contents(ancestor) or mode in (Mode.PREFER_HOST, Mode.OVER_CONTAINER)
            assert path not in contents(other)


@LONG
@given(triples(ODD), MODES)
def test_what_is_not_tracked_or_not_readable_stays(three: tuple[Tree, Entry, Entry], mode: Mode) -> None:
    merged = merge(*three, mode)
    assert untouched(merged.host) == untouched(three[1])
    assert untouched(merged.container) == untouched(three[2])
    assert merged.ancestor is None or tracked_part(merged.ancestor) == merged.ancestor


@LONG
@given(triples(ODD))
def test_the_sides_are_equal_before_the_rules(three: tuple[Tree, Entry, Entry]) -> None:
    ancestor, host, container = three
    one, other = merge(ancestor, host, container), merge(ancestor, container, host)
    assert (one.ancestor, one.host, one.container) == (other.ancestor, other.container, other.host)


@LONG
@given(triples(ODD))
def test_the_first_time_nothing_is_deleted_or_overwritten(three: tuple[Tree, Entry, Entry]) -> None:
    _, host, container = three
    merged: Merged = merge(None, host, container)
    for before, after in ((host, merged.host), (container, merged.container)):
        found = contents(after)
        assert {path: found.get(path) for path in contents(before)} == contents(before)


@LONG
@given(triples(ODD), st.sampled_from([Mode.TO_CONTAINER, Mode.OVER_CONTAINER, Mode.TO_HOST]))
def test_one_way_never_changes_where_it_comes_from(three: tuple[Tree, Entry, Entry], mode: Mode) -> None:
    merged = merge(*three, mode)
    if mode is Mode.TO_HOST:
        assert merged.container == three[2]
    else:
        assert merged.host == three[1]


@LONG
@given(triples(ODD), MODES)
def test_one_mode_for_every_path_is_that_mode(three: tuple[Tree, Entry, Entry], mode: Mode) -> None:
    assert merge(*three, lambda path: mode) == merge(*three, mode)


@LONG
@given(triples(ODD), functions())
def test_with_any_modes_the_rules_hold(three: tuple[Tree, Entry, Entry], mode: ModeOf) -> None:
    ancestor, host, container = three
    once = merge(*three, mode)
    again = merge(once.ancestor, once.host, once.container, mode)
    assert (again.ancestor, again.host, again.container) == (once.ancestor, once.host, once.container)
    # What is left of a folder may have one mode: it is then told as a whole.
    told = tuple(found.path + "/" for found in again.conflicts)
    assert all((found.path + "/").startswith(told) for found in once.conflicts)
    for sources, before, after, other in (
        ((Mode.TO_CONTAINER, Mode.OVER_CONTAINER), host, once.host, container),
        ((Mode.TO_HOST,), container, once.container, host),
    ):
        for path in contents(before).keys() | contents(after).keys():
            if mode(path) in sources:
                assert contents(after).get(path) == contents(before).get(path), path
        for path in contents(before).keys() - contents(after).keys():
            assert path in contents(ancestor) or mode(path) in (Mode.PREFER_HOST, Mode.OVER_CONTAINER)
            assert path not in contents(other)
        assert untouched(after) == untouched(before)


@LONG
@given(triples(), functions(st.sampled_from([Mode.TWO_WAY_SAFE, Mode.TO_HOST, Mode.TO_CONTAINER])))
def test_with_any_modes_what_anybody_changed_is_on_one_of_the_sides(
    three: tuple[Tree, Entry, Entry], mode: ModeOf
) -> None:
    ancestor, host, container = three
    merged = merge(*three, mode)
    for side in (host, container):
        for path, entry in contents(side).items():
            if not same_bytes(contents(ancestor).get(path), entry):
                there = (contents(merged.host).get(path), contents(merged.container).get(path))
                assert any(same_bytes(found, entry) for found in there), path


def test_what_cannot_be_read_whole_is_not_preferred() -> None:
    before = folder({"c": folder({"a": link("a")})})
    host, container = folder({"c": folder({"a": problem("EIO")})}), folder({"c": file(b"1")})
    merged = merge(before, host, container, Mode.PREFER_HOST)
    assert (merged.host, merged.container, merged.ancestor) == (host, container, before)
    assert [conflict.path for conflict in merged.conflicts] == ["c"]


def test_folders_as_deep_as_they_may_be() -> None:
    def deep(leaf: Entry) -> Entry:
        for _ in range(MOST_DEPTH):
            leaf = folder({"d": leaf})
        return leaf

    assert deep(A) == deep(A) != deep(B)
    merged = merge(deep(A), deep(B), deep(A))
    assert merged.container == deep(B)
    assert merge(deep(A), folder({}), deep(A)).container == folder({})
