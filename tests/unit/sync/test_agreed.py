"""After a cycle: what is remembered follows from what the sides are, whatever was done of what was wanted."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from devenv.sync.core.agreed import agreed
from devenv.sync.core.changes import Step, applied, steps
from devenv.sync.core.entries import Entry, Tree, folder, link
from devenv.sync.core.merge import Mode, merge
from tests.unit.sync.test_merge import contents, same_bytes
from tests.unit.sync.trees import LONG, ODD, triples

LESS = folder({"b": folder({"a": link("a")})}), folder({}), folder({"b": folder({})})


@LONG
@given(triples(ODD), st.sampled_from(list(Mode)))
@example(LESS, Mode.OVER_CONTAINER)  # here a folder is gone, and there what was in it
def test_where_nothing_failed_it_is_what_merging_gave(three: tuple[Tree, Entry, Entry], mode: Mode) -> None:
    merged = merge(*three, mode)
    found = agreed(three[0], merged.host, merged.container)
    if mode in (Mode.TWO_WAY_SAFE, Mode.PREFER_HOST):
        assert found == merged.ancestor
    again = merge(found, merged.host, merged.container, mode)
    assert (again.host, again.container) == (merged.host, merged.container)


def done_of(data: st.DataObject, before: Tree, todo: list[Step]) -> Tree:
    """The side after some of the steps: those that need another one that failed, fail as well."""
    now = before
    for step in todo:
        if data.draw(st.integers(0, 3)):
            try:
                now = applied(now, [step])
            except ValueError:
                continue
    return now


@LONG
@given(st.data(), triples(ODD))
def test_steps_that_fail_cost_nothing_but_time(data: st.DataObject, three: tuple[Tree, Entry, Entry]) -> None:
    """Cycles with failures, then one without: nothing is lost on the way, and it ends where all was done at once."""
    ancestor, host, container = three
    changed = [
        (path, entry)
        for side in (host, container)
        for path, entry in contents(side).items()
        if not same_bytes(contents(ancestor).get(path), entry)
    ]
    now: tuple[Tree, Tree, Tree] = three
    for _ in range(2):
        merged = merge(*now)
        sides = [
            done_of(data, side, steps(side, wanted))
            for side, wanted in ((now[1], merged.host), (now[2], merged.container))
        ]
        now = (agreed(now[0], sides[0], sides[1]), sides[0], sides[1])
    last = merge(*now)
    for path, entry in changed:
        there = (contents(last.host).get(path), contents(last.container).get(path))
        assert any(same_bytes(found, entry) for found in there), path
    if not merge(*three).conflicts and not last.conflicts:
        assert contents(last.host) == contents(last.container) == contents(last.ancestor)
