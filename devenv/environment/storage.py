"""How much room the engine has for images and containers, as far as it can be seen from here."""

from __future__ import annotations

import os

from devenv.engine.port import EngineInfo


def free(info: EngineInfo) -> int | None:
    """Free bytes of the file system that holds the engine's data; None for an engine elsewhere, or a hidden folder.

    The folder itself is root's; its nearest ancestor that may be looked at is on the same file system nearly always.
    """
    folder = str(info.raw.get("DockerRootDir") or "")
    if not info.is_local_socket or not folder:
        return None
    while folder:
        try:
            found = os.statvfs(folder)
        except OSError:
            parent = folder.rsplit("/", 1)[0]
            folder = parent or ("/" if folder != "/" else "")
        else:
            return found.f_bavail * found.f_frsize
    return None
