"""Steps from one tree to another, and when a person is asked first."""

from __future__ import annotations

import pytest
from hypothesis import given

from devenv.sync.core.changes import Step, applied, deletions, needed, steps
from devenv.sync.core.entries import EMPTY, UNTRACKED, Entry, Tree, file, folder, link
from devenv.sync.core.guards import Halt, Halted, Replica, Side, check_sides, check_steps
from devenv.sync.core.merge import merge
from tests.unit.sync.trees import LONG, ODD, ROOT, triples

A, B = file(b"a"), file(b"b")
RUN = file(b"a", executable=True)


def tree(**children: Entry) -> Entry:
    return folder(children)


def test_deletions_come_first_from_the_leaves_up_and_folders_before_what_they_hold() -> None:
    before = tree(d=tree(e=tree(x=A), y=A), z=A, kept=A)
    after = tree(d=B, kept=A, n=tree(m=tree(x=A)))
    assert steps(before, after) == [
        Step("d/e/x", A, None),
        Step("d/e", EMPTY, None),
        Step("d/y", A, None),
        Step("d", EMPTY, None),
        Step("z", A, None),
        Step("d", None, B),
        Step("n", None, EMPTY),
        Step("n/m", None, EMPTY),
        Step("n/m/x", None, A),
    ]


def test_a_file_is_replaced_in_one_step_and_a_folder_in_its_place_takes_two() -> None:
    assert steps(A, B) == [Step("", A, B)]
    assert steps(link("x"), A) == [Step("", link("x"), A)]
    assert steps(A, tree(x=B)) == [Step("", A, None), Step("", None, EMPTY), Step("x", None, B)]


def test_only_content_that_is_not_there_is_needed_and_each_once() -> None:
    found = steps(tree(x=A, y=B, l=link("x")), tree(x=RUN, y=A, z=A, l=link("y"), d=EMPTY))
    assert needed(found) == {b"a": ["y", "z"]}


@LONG
@given(ROOT, ROOT)
def test_the_steps_make_the_one_the_other(before: Entry, after: Entry) -> None:
    assert applied(before, steps(before, after)) == after


@LONG
@given(triples(ODD))
def test_the_steps_of_a_merge_never_touch_what_is_not_tracked(three: tuple[Tree, Entry, Entry]) -> None:
    merged = merge(*three)
    for before, after in ((three[1], merged.host), (three[2], merged.container)):
        found = steps(before, after)
        assert applied(before, found) == after
        for step in found:
            assert all(side is None or side.tracked for side in (step.before, step.after))


@pytest.mark.parametrize(
    "step",
    [Step("x", B, None), Step("n", A, B), Step("x/y", None, A), Step("d", EMPTY, None), Step("d", A, B)],
)
def test_a_step_that_does_not_fit_is_refused(step: Step) -> None:
    with pytest.raises(ValueError):
        applied(tree(x=A, d=tree(y=UNTRACKED)), [step])


HERE, THERE = Replica("one", 1), Replica("two", 1)


@pytest.mark.parametrize(
    ("host", "now", "why"),
    [
        (None, HERE, Halt.ROOT_GONE),
        (A, HERE, Halt.ROOT_CHANGED),
        (tree(x=A), Replica("other", 1), Halt.REPLICA),
        (tree(x=A), Replica("one", 2), Halt.REPLICA),
        (tree(x=A), Replica(), Halt.REPLICA),
        (EMPTY, HERE, Halt.EMPTIED),
    ],
)
def test_a_root_that_is_not_what_it_was_halts(host: Tree, now: Replica, why: Halt) -> None:
    before = tree(x=A, y=A)
    good = (Side.CONTAINER, before, THERE, THERE)
    halted = check_sides(before, [(Side.HOST, host, now, HERE), good])
    assert halted is not None and (halted.why, halted.side) == (why, Side.HOST)
    assert check_sides(before, [(Side.HOST, before, HERE, HERE), good]) is None
    assert check_sides(None, [(Side.HOST, host, now, HERE), good]) is None


@pytest.mark.parametrize(
    ("files", "gone", "asked"), [(60, 50, False), (60, 51, True), (1000, 250, False), (1000, 251, True)]
)
def test_many_deletions_are_asked_for(files: int, gone: int, asked: bool) -> None:
    before = folder({f"f{number}": A for number in range(files)})
    after = folder({f"f{number}": A for number in range(gone, files)})
    found = steps(before, after)
    assert len(list(deletions(found))) == gone
    halted = check_steps(before, [(Side.HOST, []), (Side.CONTAINER, found)])
    assert halted == (Halted(Halt.DELETIONS, Side.CONTAINER, gone, files) if asked else None)
