"""The files of a fake client: conflicts that end when a side is chosen, a halt that ends when a person says how."""

from __future__ import annotations

import msgspec

from devenv.api.views import ConflictView, SyncView
from devenv.errors import NotFound


def answer(sync: SyncView | None, action: str, name: str) -> tuple[SyncView | None, str]:
    """(how it stands then, a sentence)."""
    if sync is None:
        return None, "the project is mounted: there is nothing to synchronise"
    match action:
        case "resolve" | "diff":
            if name not in {one.path for one in sync.conflicts}:
                raise NotFound(f"there is no conflict at {name}", "`devenv sync conflicts` lists them")
            if action == "diff":
                return sync, f"--- host:{name}\n+++ container:{name}\n@@ -1 +1 @@\n-rate = 0.1\n+rate = 0.2"
            left = [one for one in sync.conflicts if one.path != name]
            return msgspec.structs.replace(sync, conflicts=left), "1 resolved"
        case "pause":
            return msgspec.structs.replace(sync, state="paused"), ""
        case "resume" | "reset":
            return msgspec.structs.replace(sync, state="in step", why=""), ""
    return sync, ""


SYNC = SyncView(
    state="in step",
    host="/home/ada/digits-pytorch",
    container="/workspaces/digits-pytorch",
    files=1_204,
    to_container=31,
    to_host=4,
    last=1_767_605_390.0,
    conflicts=[
        ConflictView(
            path="digits/train.py",
            why="both sides changed it",
            host="file",
            container="file",
        ),
        ConflictView(path="notes.md", why="both sides changed it", host="file", container="folder"),
    ],
)
