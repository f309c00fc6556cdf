"""Every process that a run has started, also those that left its session.

By parentage when the keeper adopts orphans (it is their subreaper); by the variable DEVENV_RUN_ID in their environment
when nobody does, which sees processes of this user only and not one that cleaned its environment.
"""

import os

VARIABLE = "DEVENV_RUN_ID"


def _parent(pid: int) -> "tuple[int, str]":
    """(parent, state) of a process; (0, "") when it is gone."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            part = file.read(1024).rpartition(b")")[2].split()
        return int(part[1]), part[0].decode("ascii")
    except (OSError, IndexError, ValueError):
        return 0, ""


def pids() -> "list[int]":
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def below(root: int) -> "list[int]":
    """Living descendants of `root`, without it."""
    children: "dict[int, list[int]]" = {}
    states = {}
    for pid in pids():
        parent, states[pid] = _parent(pid)
        children.setdefault(parent, []).append(pid)
    found = []
    queue = [root]
    while queue:
        for pid in children.get(queue.pop(), []):
            queue.append(pid)
            if states[pid] not in ("Z", "X"):
                found.append(pid)
    return found


def of_run(id: str) -> "list[int]":
    """Living processes that carry the run's id in their environment."""
    wanted = ("%s=%s" % (VARIABLE, id)).encode("ascii")
    found = []
    for pid in pids():
        if pid == os.getpid():
            continue
        try:
            with open("/proc/%d/environ" % pid, "rb") as file:
                if wanted in file.read().split(b"\0") and _parent(pid)[1] not in ("Z", "X", ""):
                    found.append(pid)
        except OSError:
            continue  # another user's, or gone
    return found


def kill(pids: "list[int]", number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass
