"""Where the runs of this user live in this container."""

import os


def place(state: str, uid: int) -> "tuple[str, bool]":
    """(the folder of this user's state, whether it outlives the container); ("", False) when there is none.

    A folder in a place that everyone can write is used only when it is ours, and no link.
    """
    private = "devenv-%d" % uid
    for path, kept in (
        (os.path.join(state, "u%d" % uid), True),
        (os.path.join("/tmp", private), False),
        (os.path.join("/dev/shm", private), False),
    ):
        if kept and not os.path.isdir(state):
            continue
        try:
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                pass
            info = os.lstat(path)
            if info.st_uid != uid or (info.st_mode & 0o170000) != 0o040000:
                continue
            if info.st_mode & 0o077:
                os.chmod(path, 0o700)
            runs = os.path.join(path, "runs")
            if not os.path.isdir(runs):
                os.mkdir(runs, 0o700)
            if not os.access(runs, os.W_OK):
                continue
        except OSError:
            continue
        return path, kept and os.path.ismount(state)
    return "", False
