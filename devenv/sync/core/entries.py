"""What is at a path, as far as synchronising cares: a tree of these is a whole side, or what both sides last agreed on.

A tree is a value: it is never changed, only made anew, and equal trees are the same content.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final


class Kind(enum.Enum):
    FOLDER = "folder"
    FILE = "file"
    LINK = "link"
    UNTRACKED = "untracked"
    """Ignored by a rule, or nothing that can be copied (a socket, a pipe, another file system)."""
    PROBLEM = "problem"
    """Something that could not be read: nobody knows what is there, so it is never taken for absent."""


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclasses.dataclass(slots=True, eq=False)
class Entry:
    """`digest` and `executable` belong to files, `target` to links, `text` to problems, `children` to folders.

    Final for the type checker only: a frozen one takes four times as long to make, and there is one for each file.
    """

    kind: Final[Kind]
    digest: Final[bytes] = b""
    executable: Final[bool] = False
    target: Final[str] = ""
    text: Final[str] = ""
    children: Final[Mapping[str, Entry]] = dataclasses.field(default_factory=lambda: _NOTHING)
    _files: int = dataclasses.field(default=-1, init=False, repr=False, compare=False)  # of a folder, once counted

    def __eq__(self, other: object) -> bool:
        """By hand: what a dataclass generates goes so deep in each folder that 170 of them are too many for Python."""
        if self is other:
            return True
        if not isinstance(other, Entry):
            return NotImplemented
        if self.kind is not other.kind or self.digest != other.digest or self.executable is not other.executable:
            return False
        if self.target != other.target or self.text != other.text:
            return False
        mine, theirs = self.children, other.children
        if mine is theirs:
            return True
        if len(mine) != len(theirs):
            return False
        # A generator would be one more call for each folder.
        for name, child in mine.items():  # noqa: SIM110
            if child != theirs.get(name):
                return False
        return True

    def __hash__(self) -> int:
        return hash((self.kind, self.digest, self.executable, self.target, self.text, frozenset(self.children.items())))

    @property
    def tracked(self) -> bool:
        return self.kind not in (Kind.UNTRACKED, Kind.PROBLEM)


Tree = Entry | None
"""None: nothing is there."""

EMPTY = Entry(Kind.FOLDER)
UNTRACKED = Entry(Kind.UNTRACKED)


def file(digest: bytes, executable: bool = False) -> Entry:
    return Entry(Kind.FILE, digest=digest, executable=executable)


def link(target: str) -> Entry:
    return Entry(Kind.LINK, target=target)


def problem(text: str) -> Entry:
    return Entry(Kind.PROBLEM, text=text)


def folder(children: Mapping[str, Entry]) -> Entry:
    return Entry(Kind.FOLDER, children=MappingProxyType(dict(children))) if children else EMPTY


def is_folder(tree: Tree) -> bool:
    return tree is not None and tree.kind is Kind.FOLDER


def children_of(tree: Tree) -> Mapping[str, Entry]:
    return tree.children if tree is not None else _NOTHING


def tracked_part(tree: Tree) -> Tree:
    """The tree without what is not tracked: what the other side may be given of it."""
    if tree is None or not tree.tracked:
        return None
    if tree.kind is not Kind.FOLDER:
        return tree
    kept = {name: part for name, child in tree.children.items() if (part := tracked_part(child)) is not None}
    return tree if kept == tree.children else folder(kept)


def hollow(tree: Tree) -> bool:
    """A folder that holds something, and nothing of it tracked: nobody on the other side needs to hear of it."""
    return (
        tree is not None
        and is_folder(tree)
        and bool(tree.children)
        and all(not child.tracked or hollow(child) for child in tree.children.values())
    )


def walk(tree: Tree, path: str = "") -> Iterator[tuple[str, Entry]]:
    """(path, entry) of everything in it, folders before what they hold, in the order of the names."""
    if tree is None:
        return
    yield path, tree
    for name in sorted(tree.children):
        yield from walk(tree.children[name], f"{path}/{name}" if path else name)


def count_files(tree: Tree) -> int:
    """Files and links. A folder is counted once in its life."""
    if tree is None:
        return 0
    if tree.kind is not Kind.FOLDER:
        return 1 if tree.kind in (Kind.FILE, Kind.LINK) else 0
    if tree._files < 0:
        tree._files = sum(count_files(child) for child in tree.children.values())
    return tree._files
