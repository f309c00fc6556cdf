"""Trees as the other side sends them, checked: a container is not trusted with names or sizes of the host's."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from devenv.sync.core.entries import EMPTY, UNTRACKED, Entry, Kind, Tree, problem

MOST_DEPTH = 204  # more than a scan goes; merging needs four calls for each, and Python allows a thousand
MOST_NAME = 255  # bytes, as Linux has it
MOST_ENTRIES = 2_000_000
MOST_TEXT = 4096
_DIGESTS = (20, 32)
_HEX = tuple(2 * size + 1 for size in _DIGESTS)
_SAME = "/"

# Code points that some file systems ignore in names, so that what looks like another name is `.git` there.
_IGNORABLE = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


class Untrustworthy(ValueError):
    """What was sent is no tree that anything honest would send."""


def parse(node: Any) -> Tree:
    """The tree of `devenv.sync.side`, as an `Entry`. Raises Untrustworthy."""
    if node is None:
        return None
    return _Parser().entry(node, 0)


def grown(tree: Tree, before: Any, node: Any) -> Tree:
    """The same, where `tree` is what was made of `before`, or None: what is equal in it is the same object again, and
    what is the same object in `before` and `node` is not looked into."""
    if node is None:
        return None
    return _Parser().grown(tree, before, node, 0)


def received(tree: Tree, said: Any, *, whole: bool = False) -> Tree:
    """A tree as `side.wire` writes it, where `tree` is the one that it was told against; what is equal is the same
    object again. `whole`: it is no delta, and what it does not name is not there. Raises Untrustworthy."""
    if said is None:
        return None
    return _Parser().received(tree, said, 0, whole)


def as_node(tree: Tree) -> Any:
    """The other way round."""
    if tree is None:
        return None
    match tree.kind:
        case Kind.FOLDER:
            return ("d", {name: as_node(child) for name, child in tree.children.items()})
        case Kind.FILE:
            return ("f", tree.digest, tree.executable)
        case Kind.LINK:
            return ("l", tree.target)
        case Kind.UNTRACKED:
            return ("u",)
        case Kind.PROBLEM:
            return ("p", tree.text)


def is_gits(name: str) -> bool:
    """Whether the name would be `.git` somewhere: other case, ignorable code points, other forms of letters, and the
    short name that Windows gives it."""
    plain = unicodedata.normalize("NFKC", name.translate(_IGNORABLE)).casefold().rstrip(" .")
    return plain in (".git", "git~1")


class _Parser:
    def __init__(self) -> None:
        self._left = MOST_ENTRIES

    def entry(self, node: Any, depth: int) -> Entry:
        self._left -= 1
        if self._left < 0:
            raise Untrustworthy(f"more than {MOST_ENTRIES} entries")
        if not isinstance(node, (tuple, list)) or not node:
            raise Untrustworthy("an entry of no kind")
        if node[0] == "f" and len(node) == 3:  # nearly all of them
            _, digest, executable = node
            if isinstance(digest, bytes) and isinstance(executable, bool) and len(digest) in _DIGESTS:
                return Entry(Kind.FILE, digest, executable)
        match tuple(node):
            case ("d", dict(children)):
                return self._folder(children, depth)
            case ("l", str(target)) if target and "\0" not in target and len(target) <= MOST_TEXT:
                return Entry(Kind.LINK, target=target)
            case ("u",):
                return UNTRACKED
            case ("p", str(text)):
                return problem(text[:MOST_TEXT])
        raise Untrustworthy("an entry of no known form")

    def received(self, tree: Tree, said: Any, depth: int, whole: bool) -> Entry:
        if not isinstance(said, dict):
            if isinstance(said, str) and said[:1] in ("f", "x") and len(said) in _HEX:  # nearly all of them
                executable = said[0] == "x"
                digest = _bytes(said[1:])
                if tree is not None and tree.digest == digest and tree.executable is executable:
                    return tree
                if 2 * len(digest) + 1 != len(said):
                    raise Untrustworthy("a digest with something in between")
                return Entry(Kind.FILE, digest, executable)
            entry = self.entry(_heard(said), depth)
            return tree if tree is not None and tree == entry else entry
        if depth >= MOST_DEPTH:
            raise Untrustworthy(f"folders more than {MOST_DEPTH} deep")
        known = tree.children if tree is not None else {}
        delta = _SAME in said
        if delta and (whole or tree is None or tree.kind is not Kind.FOLDER):
            raise Untrustworthy("a change of what is not there")
        found = dict(known) if delta else {}
        same = delta or len(said) == len(known)
        for name, child in said.items():
            if name == _SAME:
                continue
            was = known.get(name)
            if was is None and not _good(name):
                raise Untrustworthy(f"the name {name!a}"[:200])
            if child is None:
                if not delta or found.pop(name, None) is None:
                    raise Untrustworthy("something goes that was not there")
                same = False
                continue
            found[name] = entry = self.received(was, child, depth + 1, whole or not delta)
            same = same and entry is was
        self._left -= len(said)
        if self._left < 0:
            raise Untrustworthy(f"more than {MOST_ENTRIES} entries")
        if same and tree is not None and tree.kind is Kind.FOLDER:
            return tree
        return Entry(Kind.FOLDER, children=MappingProxyType(found)) if found else EMPTY

    def grown(self, tree: Tree, before: Any, node: Any, depth: int) -> Entry:
        if tree is not None and (
            node is before
            or (tree.kind is Kind.FILE and len(node) == 3 and tree.digest == node[1] and tree.executable is node[2])
        ):
            return tree
        if tree is None or tree.kind is not Kind.FOLDER or not isinstance(node, tuple) or node[0] != "d":
            entry = self.entry(node, depth)
            return tree if tree is not None and tree == entry else entry
        if depth >= MOST_DEPTH:
            raise Untrustworthy(f"folders more than {MOST_DEPTH} deep")
        old = before[1] if before is not None and before[0] == "d" else {}
        known = tree.children
        found = {}
        same = len(node[1]) == len(known)
        for name, child in node[1].items():
            was = known.get(name)
            if was is None and not (isinstance(name, str) and _good(name)):
                raise Untrustworthy(f"the name {name!a}"[:200])
            found[name] = entry = self.grown(was, old.get(name), child, depth + 1)
            same = same and entry is was
        return tree if same else Entry(Kind.FOLDER, children=MappingProxyType(found)) if found else EMPTY

    def _folder(self, children: Mapping[Any, Any], depth: int) -> Entry:
        if not children:
            return EMPTY
        if depth >= MOST_DEPTH:
            raise Untrustworthy(f"folders more than {MOST_DEPTH} deep")
        found = {}
        for name, child in children.items():
            if not isinstance(name, str) or not _good(name):
                raise Untrustworthy(f"the name {name!a}"[:200])
            found[name] = self.entry(child, depth + 1)
        return Entry(Kind.FOLDER, children=MappingProxyType(found))


def _bytes(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest)
    except ValueError:
        raise Untrustworthy("a digest that is none") from None


def _heard(said: Any) -> Any:
    """A leaf as `side.wire` writes it."""
    if not isinstance(said, str) or not said:
        raise Untrustworthy("an entry of no kind")
    kind, rest = said[0], said[1:]
    if kind in "fx":
        return ("f", _bytes(rest), kind == "x")
    return (kind, rest) if kind in "lp" else (said,)


def _good(name: str) -> bool:
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return False
    try:
        return len(name.encode("utf-8", "surrogateescape")) <= MOST_NAME
    except UnicodeEncodeError:
        return False  # a surrogate that stands for no byte
