"""Reading files of the project on the host. The container can write there, so a name may turn out to be anything.

Links are not followed and only regular files are read, up to a limit: a planted link or FIFO costs nothing.
"""

from __future__ import annotations

import os
import stat

MOST_BYTES = 8 << 20


def read_regular(path: str, most: int = MOST_BYTES) -> bytes | None:
    """The file's bytes (at most `most`), or None when there is no regular, readable file of that name. Blocks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        try:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            parts = []
            while most > 0 and (data := file.read(min(most, 1 << 20))):
                parts.append(data)
                most -= len(data)
            return b"".join(parts)
        except OSError:
            return None
