"""When nothing is applied and a person is asked: a root that is gone, emptied or another one looks like a deletion."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from devenv.sync.core.changes import Step, deletions
from devenv.sync.core.entries import Kind, Tree, count_files, is_folder

FEW_DELETIONS = 50
MANY_DELETIONS = 0.25  # of the files that both sides had


class Side(enum.Enum):
    HOST = "host"
    CONTAINER = "container"

    __hash__ = object.__hash__  # Enum's own is written in Python, and a cycle needs it some fifty times


class Halt(enum.Enum):
    ROOT_GONE = "its root is gone"
    ROOT_CHANGED = "its root is no folder any more"
    REPLICA = "it is another folder than the one that was synchronised"
    EMPTIED = "everything in it is gone"
    DELETIONS = "much would be deleted"


@dataclasses.dataclass(frozen=True, slots=True)
class Halted:
    """`side` is the one that something is wrong with; for DELETIONS the one that would lose `count` files."""

    why: Halt
    side: Side
    count: int = 0
    files: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Replica:
    """Which folder a side is: a random word that is kept in it, and where it lies. `word` "" is a folder that was never
    synchronised."""

    word: str = ""
    device: int = 0


NOBODY = Replica()


def is_another(now: Replica, before: Replica) -> bool:
    """Whether the host's folder is another one than was known, whatever became of the container's meanwhile, and of
    what was agreed on. One that is gone is none."""
    return bool(before.word and now.device) and now.word != before.word


def is_new(now: Replica, before: Replica) -> bool:
    """Whether a container's folder was made anew: what was agreed on with the one before says nothing of it. On the
    host, where the only copy may be, the same is a halt."""
    return bool(before.word) and not now.word


def check_sides(ancestor: Tree, sides: Sequence[tuple[Side, Tree, Replica, Replica]]) -> Halted | None:
    """Before merging. Each side with its tree, which folder it is, and which one it was; the first thing that is wrong.

    Without an ancestor nothing can be deleted, so nothing is asked.
    """
    if ancestor is None:
        return None
    for side, tree, now, before in sides:
        if tree is None:
            return Halted(Halt.ROOT_GONE, side)
        if not is_folder(tree):
            return Halted(Halt.ROOT_CHANGED, side)
        if now != before:
            return Halted(Halt.REPLICA, side)
        if count_files(ancestor) > 1 and all(child.kind is Kind.UNTRACKED for child in tree.children.values()):
            return Halted(Halt.EMPTIED, side, files=count_files(ancestor))
    return None


def check_steps(ancestor: Tree, found: Sequence[tuple[Side, Sequence[Step]]]) -> Halted | None:
    """After merging: whether a side would lose more than a person does by hand."""
    files = count_files(ancestor)
    for side, changes in found:
        count = sum(1 for _ in deletions(changes))
        if count > max(FEW_DELETIONS, files * MANY_DELETIONS):
            return Halted(Halt.DELETIONS, side, count, files)
    return None
