"""What is remembered of folders in which nothing was to be done changes no result, only how much is looked into."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devenv.sync.core.agreed import agreed
from devenv.sync.core.changes import applied, applied_where_it_fits, put, steps
from devenv.sync.core.entries import Entry, Tree, count_files, file, folder, walk
from devenv.sync.core.merge import Mode, Quiet, merge
from tests.unit.sync.trees import LONG, ODD, ROOT, edited, triples


@LONG
@given(st.data(), triples(ODD), st.sampled_from(list(Mode)))
def test_cycle_after_cycle_it_is_as_if_nothing_were_remembered(
    data: st.DataObject, three: tuple[Tree, Entry, Entry], mode: Mode
) -> None:
    quiet = Quiet()
    ancestor, host, container = three
    for _ in range(3):
        merged = merge(ancestor, host, container, mode, quiet)
        assert merged == merge(ancestor, host, container, mode)
        found = agreed(ancestor, merged.host, merged.container, quiet)
        assert found == agreed(ancestor, merged.host, merged.container)
        assert merged.host is not None and merged.container is not None
        ancestor, host, container = found, merged.host, merged.container
        if data.draw(st.booleans()):
            host = data.draw(edited(host, ODD))
        if data.draw(st.booleans()):
            container = data.draw(edited(container, ODD))


def test_a_save_looks_into_the_folders_above_it_alone() -> None:
    before = folder({f"d{a}": folder({f"e{b}": folder({"f": file(b"1" * 32)}) for b in range(20)}) for a in range(20)})
    quiet = Quiet()
    tree = merge(before, before, before, Mode.TWO_WAY_SAFE, quiet).ancestor
    saved = put(before, "d3/e7/f", file(b"2" * 32))
    looked = []
    get = Quiet.has

    class Counting(Quiet):
        def has(self, ancestor: Tree, host: Tree, container: Tree) -> bool:
            looked.append(1)
            return get(self, ancestor, host, container)

    counting = Counting()
    merged = merge(tree, saved, before, Mode.TWO_WAY_SAFE, counting)
    assert len(looked) == 3  # the root, d3 and e7
    assert [step.path for step in steps(before, merged.container)] == ["d3/e7/f"]
    found = agreed(tree, saved, merged.container, counting)
    assert found is saved


@LONG
@given(ROOT, ROOT)
def test_many_steps_at_once_are_as_one_after_the_other(before: Entry, after: Entry) -> None:
    found = steps(before, after)
    assert applied_where_it_fits(before, found) == applied(before, found) == after


@LONG
@given(st.data(), ROOT, ROOT, ROOT)
def test_steps_that_do_not_fit_change_nothing(data: st.DataObject, before: Entry, after: Entry, other: Entry) -> None:
    todo = data.draw(st.permutations([*steps(before, after), *steps(other, after)]))
    expected: Tree = before
    for step in todo:
        try:
            expected = applied(expected, [step])
        except ValueError:
            continue
    assert applied_where_it_fits(before, todo) == expected


@given(ROOT)
def test_files_are_counted_as_they_are(tree: Entry) -> None:
    assert count_files(tree) == count_files(tree) == sum(1 for _, entry in walk(tree) if entry.kind.value != "folder")
