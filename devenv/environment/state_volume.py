"""The named volume in which runs and their output outlive the container: one per environment, a folder per user.

The folder is put there as an archive before the container starts, so that no process in the container is needed for
it, and none can be in the way.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from typing import Any

MOUNT_POINT = "/var/lib/devenv"


def name(key: str, tail: str = "") -> str:
    """`tail` tells two owners of the same path on one engine apart."""
    return f"devenv-{key}{tail}-state"


def of(mounts: Iterable[Mapping[str, Any]]) -> str | None:
    """The volume that a container has at MOUNT_POINT."""
    return next((str(m.get("Name") or "") or None for m in mounts if m.get("Destination") == MOUNT_POINT), None)


def user_folder(uid: int, gid: int, *, now: float) -> bytes:
    """A tar archive for MOUNT_POINT with the folder `u<uid>`, mode 0700, owned by the user."""
    entry = tarfile.TarInfo(f"u{uid}")
    entry.type = tarfile.DIRTYPE
    entry.mode = 0o700
    entry.uid, entry.gid = uid, gid
    entry.mtime = int(now)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(entry)
    return buffer.getvalue()
