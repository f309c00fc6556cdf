"""What both sides agree on after steps were made, of which some may have failed. Pure."""

from __future__ import annotations

from devenv.sync.core.entries import EMPTY, Kind, Tree, children_of, folder, hollow, is_folder, tracked_part
from devenv.sync.core.merge import Quiet


def agreed(before: Tree, host: Tree, container: Tree, quiet: Quiet | None = None) -> Tree:
    """Where the sides are alike, that; where they are not, what they agreed on before. Where nothing failed, it is the
    ancestor that merging gave. What is as it was before is the same object."""
    if (before is host and host is container) or (quiet is not None and quiet.has(before, host, container)):
        return before
    if before is None and host is container:
        return tracked_part(host)  # most of a first time
    if any(side is not None and side.kind is Kind.PROBLEM for side in (host, container)):
        return before
    if (is_folder(host) and is_folder(container)) or (
        is_folder(before) and all(side is None or is_folder(side) for side in (host, container))
    ):
        names = sorted({*children_of(before), *children_of(host), *children_of(container)})
        found = {}
        for name in names:
            was, here, there = (children_of(tree).get(name) for tree in (before, host, container))
            child = agreed(was, here, there, quiet)
            if child is not None:
                found[name] = child
        if found:
            known = (tree for tree in (before, host) if tree is not None and is_folder(tree) and found == tree.children)
            return next(known, None) or folder(found)
        # One that is still to be deleted on a side must not look like a new one there.
        left = [side for side in (host, container) if side is not None and not hollow(side)]
        return EMPTY if left or (is_folder(host) and is_folder(container)) else None
    if all(side is None or side.kind is Kind.UNTRACKED or hollow(side) for side in (host, container)):
        return None
    return host if host == container else before
