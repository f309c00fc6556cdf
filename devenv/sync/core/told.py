"""Trees as JSON has them, in the form of `devenv.sync.side.wire`: null, "f" and "x" with a digest, "l" with a target,
"u", "p" with a text, and objects. A changed folder has the member "/" besides what has changed in it. `given.received`
is the other way round."""

from __future__ import annotations

from typing import Any

from devenv.sync.core.entries import Kind, Tree, is_folder

SAME = "/"


def tell(tree: Tree) -> Any:
    if tree is None:
        return None
    match tree.kind:
        case Kind.FOLDER:
            return {name: tell(child) for name, child in tree.children.items()}
        case Kind.FILE:
            return ("x" if tree.executable else "f") + tree.digest.hex()
        case Kind.LINK:
            return "l" + tree.target
        case Kind.UNTRACKED:
            return "u"
        case Kind.PROBLEM:
            return "p" + tree.text


def difference(old: Tree, new: Tree) -> Any:
    """What makes one the other. What is the same object is not looked into."""
    if old is None or new is None or not (is_folder(old) and is_folder(new)):
        return tell(new)
    told: dict[str, Any] = {SAME: 0}
    for name, child in new.children.items():
        was = old.children.get(name)
        if was is child:
            continue
        if was is not None and is_folder(was) and is_folder(child):
            if len(change := difference(was, child)) > 1:
                told[name] = change
        elif was != child:
            told[name] = tell(child)
    for name in old.children:
        if name not in new.children:
            told[name] = None
    return told


def size(told: Any) -> int:
    """How many entries are named in it."""
    return sum(map(size, told.values())) + 1 if isinstance(told, dict) else 1
