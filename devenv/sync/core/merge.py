"""Three-way merge of trees: what each side should be, and what both then agree on.

The ancestor is what both sides agreed on last. What only one side has changed goes to the other; what both have changed
alike is agreed on in silence; a modification outlives a deletion; what both have changed differently stays as it is on
both sides and is told. Nothing is ever deleted because of what could not be read, nor what is not tracked.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import NamedTuple

from devenv.sync.core.entries import (
    EMPTY,
    Entry,
    Kind,
    Tree,
    children_of,
    folder,
    hollow,
    is_folder,
    tracked_part,
    walk,
)


class Mode(enum.Enum):
    TWO_WAY_SAFE = "two-way-safe"
    PREFER_HOST = "two-way-prefer-host"
    """As above, but where both sides changed, the host's content goes to the container."""
    TO_CONTAINER = "host-to-container"
    """The host is never changed, and the container only where it still is as it was given."""
    TO_HOST = "container-to-host"
    OVER_CONTAINER = "host-over-container"
    """As host-to-container, but what the container has made of it gives way to the host's next content, untold: for
    what its programs write again and again without anybody's doing, as Git its index."""


ModeOf = Callable[[str], Mode]
"""The mode of each path, "" being the root. A path's mode says nothing of those below it."""

GIT = ".git"


class Why(enum.Enum):
    BOTH_CHANGED = "both sides changed it"
    ONLY_ONE_WAY = "it was changed on the side that receives"
    UNREADABLE = "it cannot be read"
    IN_THE_WAY = "something that is not synchronised is in its place"


@dataclasses.dataclass(frozen=True, slots=True)
class Conflict:
    """Left alone on both sides. `path` is relative to the root, with `/`; "" is the root itself. What the sides have
    there is told where they could be read."""

    path: str
    why: Why
    host: Tree = None
    container: Tree = None


@dataclasses.dataclass(frozen=True, slots=True)
class Merged:
    """The trees as they should be; a side that is as it should be is the tree that was given."""

    host: Tree
    container: Tree
    ancestor: Tree
    conflicts: tuple[Conflict, ...] = ()


class Quiet:
    """Folders of which nothing was to be done or told, each with its three trees: while these are the same objects,
    nobody has to look into them again. Belongs to one mode."""

    _MOST = 100_000

    def __init__(self) -> None:
        self._found: dict[tuple[int, int, int], tuple[Tree, Tree, Tree]] = {}  # holding them keeps their ids theirs

    def has(self, ancestor: Tree, host: Tree, container: Tree) -> bool:
        return (id(ancestor), id(host), id(container)) in self._found

    def add(self, ancestor: Tree, host: Tree, container: Tree) -> None:
        self._found[id(ancestor), id(host), id(container)] = (ancestor, host, container)

    def tidy(self, folders: int) -> None:
        """Most of what is known is of trees that are gone."""
        if len(self._found) > self._MOST + 2 * folders:
            self._found.clear()


def merge(
    ancestor: Tree,
    host: Tree,
    container: Tree,
    mode: Mode | ModeOf = Mode.TWO_WAY_SAFE,
    quiet: Quiet | None = None,
) -> Merged:
    """`ancestor` holds only folders, files and links; None where nothing was agreed on, from which no deletion follows.

    Without conflicts, the tracked parts of the three results are equal, where the mode is a two-way one. Where `.git`
    goes one way, it waits until nobody works on it.
    """
    merger = _Merger(mode, quiet or Quiet())
    result = merger.at("", ancestor, host, container)
    return Merged(result.host, result.container, result.ancestor, tuple(merger.conflicts))


class _Three(NamedTuple):
    ancestor: Tree
    host: Tree
    container: Tree


class _Merger:
    def __init__(self, mode: Mode | ModeOf, quiet: Quiet) -> None:
        self._mode: ModeOf = (lambda path: mode) if isinstance(mode, Mode) else mode
        self._one_mode = isinstance(mode, Mode)
        self._quiet = quiet
        self.conflicts: list[Conflict] = []

    def at(self, path: str, ancestor: Tree, host: Tree, container: Tree) -> _Three:
        whole = _Three(ancestor, host, container)
        if ancestor is host and host is container:
            return whole  # of an ancestor everything is tracked
        kinds = (host.kind if host is not None else None, container.kind if container is not None else None)
        if Kind.PROBLEM in kinds:
            return self._left(path, whole, Why.UNREADABLE)
        if path == GIT and self._mode(path) is Mode.TO_CONTAINER and (_locked(host) or _locked(container)):
            return whole
        if kinds == (Kind.FOLDER, Kind.FOLDER):
            return self._folders(path, whole)
        if Kind.UNTRACKED in kinds:
            return self._untracked(path, whole)
        if host == container:
            return _Three(ancestor if ancestor == host else host, host, container)
        return self._apart(path, whole)

    def _left(self, path: str, three: _Three, why: Why) -> _Three:
        self.conflicts.append(Conflict(path, why, three.host, three.container))
        return three

    def _unreadable(self, path: str, tree: Tree) -> None:
        for below, entry in walk(tree, path):
            if entry.kind is Kind.PROBLEM:
                self.conflicts.append(Conflict(below, Why.UNREADABLE))

    def _children(self, path: str, three: _Three) -> dict[str, _Three]:
        before, host, container = map(children_of, (three.ancestor, three.host, three.container))
        names = sorted({*before, *host, *container})
        return {
            name: self.at(f"{path}/{name}" if path else name, before.get(name), host.get(name), container.get(name))
            for name in names
        }

    def _folders(self, path: str, three: _Three) -> _Three:
        if self._quiet.has(three.ancestor, three.host, three.container):
            return three
        told = len(self.conflicts)
        found = self._children(path, three)
        result = _Three(
            _same(three.ancestor, {name: child.ancestor for name, child in found.items()}),
            _same(three.host, {name: child.host for name, child in found.items()}),
            _same(three.container, {name: child.container for name, child in found.items()}),
        )
        still = result.ancestor is three.ancestor and result.host is three.host and result.container is three.container
        if still and told == len(self.conflicts):
            self._quiet.add(three.ancestor, three.host, three.container)
        return result

    def _untracked(self, path: str, three: _Three) -> _Three:
        """A rule that is new lets its paths leave the ancestor; what the other side has in such a place stays there."""
        sides = (three.host, three.container)
        if all(side is None or side.kind is Kind.UNTRACKED or hollow(side) for side in sides):
            self._unreadable(path, three.host)
            self._unreadable(path, three.container)
            return _Three(None, three.host, three.container)
        return self._left(path, three, Why.IN_THE_WAY)

    def _apart(self, path: str, three: _Three) -> _Three:
        """They are tracked, differ, and are not two folders; one may be absent."""
        host_same = _unchanged(three.ancestor, three.host)
        container_same = _unchanged(three.ancestor, three.container)
        alone = three.host if three.container is None else three.container if three.host is None else None
        if three.ancestor is None and hollow(alone):
            self._unreadable(path, alone)
            return three
        mode = self._mode(path)
        two_way = mode in (Mode.TWO_WAY_SAFE, Mode.PREFER_HOST)
        if not self._uniform(path, three, mode):
            # Which way it goes is for each path to say. A file in the folder's place would undo all of them.
            return self._apiece(path, three) if is_folder(alone) else self._left(path, three, Why.ONLY_ONE_WAY)
        if host_same:
            return self._to_host(path, three)
        if container_same:
            return self._to_container(path, three)
        if (both := _both(three)) is not None and two_way:
            return _Three(both, both, both)
        if three.host is None or three.container is None:
            return self._deleted(path, three, mode)
        if mode in (Mode.PREFER_HOST, Mode.OVER_CONTAINER) and not _has_problem(three.host):
            return self._to_container(path, three)
        if mode is Mode.TWO_WAY_SAFE and _less(three.ancestor, three.host):
            return self._to_host(path, three)
        if mode is Mode.TWO_WAY_SAFE and _less(three.ancestor, three.container):
            return self._to_container(path, three)
        return self._left(path, three, Why.BOTH_CHANGED if two_way else Why.ONLY_ONE_WAY)

    def _uniform(self, path: str, three: _Three, mode: Mode) -> bool:
        """Whether all that is in the place has this mode."""
        if self._one_mode:
            return True
        trees = (three.ancestor, three.host, three.container)
        return all(self._mode(below) is mode for tree in trees for below, _ in walk(tree, path))

    def _deleted(self, path: str, three: _Three, mode: Mode) -> _Three:
        """One side deleted what the other has changed."""
        if (mode is Mode.TO_CONTAINER and three.container is None) or (mode is Mode.TO_HOST and three.host is None):
            return self._left(path, three, Why.ONLY_ONE_WAY)
        if mode is Mode.OVER_CONTAINER:
            made = three.host is None and not _less(three.ancestor, three.container)
            return self._to_host(path, three) if made else self._to_container(path, three)
        if not is_folder(three.ancestor) or not (is_folder(three.host) or is_folder(three.container)):
            return self._to_host(path, three) if three.host is None else self._to_container(path, three)
        return self._apiece(path, three)

    def _apiece(self, path: str, three: _Three) -> _Three:
        """A folder that one side has not: it is there, or comes back, for what is to be in it, and for nothing else."""
        found = self._children(path, three)
        host = _kept({name: child.host for name, child in found.items()})
        container = _kept({name: child.container for name, child in found.items()})
        agreed = _kept({name: child.ancestor for name, child in found.items()})
        if agreed is None and host is not None and container is not None:
            agreed = EMPTY
        return _Three(agreed, host, container)

    def _to_container(self, path: str, three: _Three) -> _Three:
        if self._mode(path) is Mode.TO_HOST:
            return self._refused(path, three)
        given = self._given(path, three.ancestor, three.host, three.container)
        return self._left(path, three, Why.IN_THE_WAY) if given is None else _Three(given[0], three.host, given[1])

    def _to_host(self, path: str, three: _Three) -> _Three:
        if (mode := self._mode(path)) in (Mode.TO_CONTAINER, Mode.OVER_CONTAINER):
            return self._refused(path, three, untold=mode is Mode.OVER_CONTAINER)
        given = self._given(path, three.ancestor, three.container, three.host)
        return self._left(path, three, Why.IN_THE_WAY) if given is None else _Three(given[0], given[1], three.container)

    def _refused(self, path: str, three: _Three, *, untold: bool = False) -> _Three:
        """A change on the side that only receives. What it has made besides is its own."""
        if three.ancestor is not None and not untold:
            return self._left(path, three, Why.ONLY_ONE_WAY)
        self._unreadable(path, three.host)
        self._unreadable(path, three.container)
        return three

    def _given(self, path: str, ancestor: Tree, wanted: Tree, has: Tree) -> tuple[Tree, Tree] | None:
        """(ancestor, the receiving side) when it gets what is wanted in place of what it has; None: it must not."""
        content, kept = tracked_part(wanted), _leftovers(has)
        if content is not None and kept is not None:
            return None
        self._unreadable(path, wanted)
        self._unreadable(path, kept)
        return (content, content) if content is not None else (_remembered(ancestor, kept), kept)


def _same(before: Tree, children: dict[str, Tree]) -> Tree:
    kept = {name: child for name, child in children.items() if child is not None}
    return before if is_folder(before) and kept == children_of(before) else folder(kept)


def _kept(children: dict[str, Tree]) -> Tree:
    kept = {name: child for name, child in children.items() if child is not None}
    return folder(kept) if kept else None


def _unchanged(ancestor: Tree, side: Tree) -> bool:
    """What could not be read is no proof of anything."""
    return tracked_part(side) == ancestor and not _has_problem(side)


def _has_problem(tree: Tree) -> bool:
    if tree is None:
        return False
    return tree.kind is Kind.PROBLEM or any(_has_problem(child) for child in tree.children.values())


def _locked(tree: Tree, of: str = GIT) -> bool:
    """Whether Git works in this `.git`. Folders of loose objects have no locks, and are many."""
    for name, child in children_of(tree).items():
        if name.endswith(".lock"):
            return True
        if child.children and not (of == "objects" and len(name) == 2) and _locked(child, name):
            return True
    return False


def _less(ancestor: Tree, side: Tree) -> bool:
    """Whether the side differs from the ancestor by deletions alone."""
    if side is None or side.kind is Kind.UNTRACKED:
        return True
    if side.kind is Kind.PROBLEM or ancestor is None or side.kind is not ancestor.kind:
        return False
    if side.kind is not Kind.FOLDER:
        return side == ancestor
    return all(_less(ancestor.children.get(name), child) for name, child in side.children.items())


def _both(three: _Three) -> Tree:
    """Content changed on one side and the executable bit on the other; None where it is anything else."""
    before, host, container = three.ancestor, three.host, three.container
    if before is None or host is None or container is None:
        return None
    if {before.kind, host.kind, container.kind} != {Kind.FILE}:
        return None
    if host.digest == before.digest or host.digest == container.digest:
        digest = container.digest
    elif container.digest == before.digest:
        digest = host.digest
    else:
        return None
    executable = host.executable if host.executable != before.executable else container.executable
    return Entry(Kind.FILE, digest=digest, executable=executable)


def _leftovers(tree: Tree) -> Tree:
    """What stays when the tracked part is taken away: the rest, with the folders that it lies in."""
    if tree is None:
        return None
    if not tree.tracked:
        return tree
    return _kept({name: _leftovers(child) for name, child in tree.children.items()})


def _remembered(ancestor: Tree, kept: Tree) -> Tree:
    """Of what could not be deleted because it could not be read, the ancestor knows further."""
    if ancestor is None or kept is None or kept.kind is Kind.UNTRACKED:
        return None
    if kept.kind is Kind.PROBLEM:
        return ancestor
    return _kept({name: _remembered(ancestor.children.get(name), child) for name, child in kept.children.items()})
