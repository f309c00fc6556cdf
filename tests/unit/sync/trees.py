"""Any trees, and any three of which two were made out of the first, for property tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from devenv.sync.core.entries import UNTRACKED, Entry, Kind, Tree, file, folder, link, problem

NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.one_of(
    st.builds(file, st.sampled_from([b"1", b"2", b"3"]), st.booleans()),
    st.builds(link, st.sampled_from(["a", "../b"])),
)
TRACKED = st.recursive(LEAVES, lambda inner: st.builds(folder, st.dictionaries(NAMES, inner, max_size=3)), max_leaves=6)
ODD = st.recursive(
    st.one_of(LEAVES, st.just(UNTRACKED), st.just(problem("EIO"))),
    lambda inner: st.builds(folder, st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
ROOT = st.builds(folder, st.dictionaries(NAMES, TRACKED, max_size=3))
ODD_ROOT = st.builds(folder, st.dictionaries(NAMES, ODD, max_size=3))

# More when one looks for a counterexample: DEVENV_EXAMPLES=20000.
LONG = settings(
    max_examples=int(os.environ.get("DEVENV_EXAMPLES", "400")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def edited(draw: st.DrawFn, before: Entry, new: st.SearchStrategy[Entry]) -> Entry:
    """A tree that somebody made out of another one: most of it is as it was."""
    children = {}
    for name, child in before.children.items():
        match draw(st.integers(0, 5)):
            case 0:
                continue
            case 1:
                children[name] = draw(new)
            case 2 if child.kind is Kind.FOLDER:
                children[name] = draw(edited(child, new))
            case _:
                children[name] = child
    for name in draw(st.lists(NAMES, max_size=1)):
        children.setdefault(name, draw(new))
    return folder(children)


@st.composite
def triples(draw: st.DrawFn, new: st.SearchStrategy[Entry] = TRACKED) -> tuple[Tree, Entry, Entry]:
    """(ancestor, host, container)."""
    before = draw(ROOT)
    if draw(st.booleans()):
        return before, draw(edited(before, new)), draw(edited(before, new))
    return draw(st.one_of(st.none(), ROOT)), draw(ODD_ROOT if new is ODD else ROOT), draw(edited(before, new))
