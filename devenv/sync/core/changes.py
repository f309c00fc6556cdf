"""From what a side is to what it should be, in steps that an endpoint can make and check one at a time.

Each step names what is expected to be there: an endpoint that finds something else leaves it alone and says so. Steps
come in an order in which every one is possible: deletions from the leaves up, then folders before what they hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from devenv.sync.core.entries import Entry, Kind, Tree, children_of, folder, is_folder


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One path, from `before` to `after`; None is nothing. Of folders only that they are there counts: `children` of
    both are empty."""

    path: str
    before: Tree
    after: Tree

    @property
    def needs(self) -> bytes:
        """The digest of the content that must be at hand first; b"" when none is needed."""
        after = self.after
        if after is None or after.kind is not Kind.FILE:
            return b""
        has = self.before
        return b"" if has is not None and has.kind is Kind.FILE and has.digest == after.digest else after.digest


def steps(before: Tree, after: Tree) -> list[Step]:
    """What makes the one the other. The two agree on all that is not tracked."""
    removals: list[Step] = []
    additions: list[Step] = []
    _compare("", before, after, removals, additions)
    return [*removals, *additions]


def _compare(path: str, before: Tree, after: Tree, removals: list[Step], additions: list[Step]) -> None:
    if before is after or before == after:
        return
    if is_folder(before) and is_folder(after):
        for name in sorted({*children_of(before), *children_of(after)}):
            below = f"{path}/{name}" if path else name
            _compare(below, children_of(before).get(name), children_of(after).get(name), removals, additions)
        return
    if is_folder(before):
        for name, child in sorted(children_of(before).items()):
            _compare(f"{path}/{name}" if path else name, child, None, removals, additions)
        removals.append(Step(path, folder({}), None))
        before = None
    elif before is not None and is_folder(after):
        removals.append(Step(path, before, None))
        before = None
    if after is None:
        if before is not None:
            removals.append(Step(path, before, None))
        return
    additions.append(Step(path, before, folder({}) if is_folder(after) else after))
    for name, child in sorted(children_of(after).items()):
        _compare(f"{path}/{name}" if path else name, None, child, removals, additions)


def applied(tree: Tree, done: Iterable[Step]) -> Tree:
    """The tree after these steps, which fit it: what an ancestor or a scan becomes without looking again.

    Raises ValueError for a step that does not fit.
    """
    for step in done:
        names = step.path.split("/") if step.path else []
        tree = _put(tree, names, step)
    return tree


def applied_where_it_fits(tree: Tree, done: Iterable[Step]) -> Tree:
    """The same where somebody may have written under way: a step that does not fit what is known leaves that as it is.
    What both sides agree on is then older than it could be, and the next scan tells how it is."""
    draft = _Draft(tree)
    for step in done:
        draft.make(step)
    return draft.entry()


class _Draft:
    """A tree under many changes: each folder that is touched is copied once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._children: dict[str, _Draft] | None = None

    def _open(self) -> dict[str, _Draft]:
        if self._children is None:
            self._children = {name: _Draft(child) for name, child in children_of(self._tree).items()}
        return self._children

    def make(self, step: Step) -> None:
        above: _Draft | None = None
        here: _Draft | None = self
        name = ""
        for name in step.path.split("/") if step.path else []:
            if here is None or not is_folder(here._tree):
                return
            above, here = here, here._open().get(name)
        now = here._tree if here is not None else None
        if _without_children(now) != step.before:
            return
        if is_folder(now) and is_folder(step.after):
            return
        if is_folder(now) and here is not None and here._filled():
            return
        if above is None:
            self._tree, self._children = step.after, None
        elif step.after is None:
            above._open().pop(name, None)
        else:
            above._open()[name] = _Draft(step.after)

    def _filled(self) -> bool:
        return bool(children_of(self._tree) if self._children is None else self._children)

    def entry(self) -> Tree:
        if self._children is None:
            return self._tree
        found = {name: entry for name, child in self._children.items() if (entry := child.entry()) is not None}
        return self._tree if found == children_of(self._tree) else folder(found)


def put(tree: Tree, path: str, there: Tree) -> Tree:
    """The tree with this at the path, instead of what it has there; None takes it away. Folders come and go with what
    they hold."""
    if not path:
        return there
    name, _, rest = path.partition("/")
    children = dict(children_of(tree)) if is_folder(tree) else {}
    child = put(children.get(name), rest, there)
    if child is None:
        children.pop(name, None)
    else:
        children[name] = child
    return folder(children) if children or is_folder(tree) else None


def _put(tree: Tree, names: list[str], step: Step) -> Tree:
    if not names:
        if _without_children(tree) != step.before:
            raise ValueError(f"{step.path}: it is not as the step expects")
        if step.after is not None and is_folder(step.after) and is_folder(tree):
            return tree
        if is_folder(tree) and children_of(tree):
            raise ValueError(f"{step.path}: the folder is not empty")
        return step.after
    if not is_folder(tree):
        raise ValueError(f"{step.path}: it has no folder")
    children: dict[str, Entry] = dict(children_of(tree))
    child = _put(children.get(names[0]), names[1:], step)
    if child is None:
        children.pop(names[0], None)
    else:
        children[names[0]] = child
    return folder(children)


def _without_children(tree: Tree) -> Tree:
    return folder({}) if is_folder(tree) else tree


def deletions(found: Iterable[Step]) -> Iterator[str]:
    """Paths of files and links that go, for who counts them. One that gives way to a folder counts as well."""
    for step in found:
        if step.after is None and step.before is not None and step.before.kind in (Kind.FILE, Kind.LINK):
            yield step.path


def needed(found: Iterable[Step]) -> Mapping[bytes, list[str]]:
    """Digest -> the paths that want it: each content is sent once."""
    wanted: dict[bytes, list[str]] = {}
    for step in found:
        if step.needs:
            wanted.setdefault(step.needs, []).append(step.path)
    return wanted
