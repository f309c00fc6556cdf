"""How a process in the container may be looked into, with the least right that is enough. Pure.

1. As the remote user, over the link: its own processes, where nothing forbids it. No right is needed.
2. As the process's own user, by an exec of the engine: processes of others.
3. As root with every capability, by a privileged exec: where Yama or the process itself forbids the rest. Only for a
   static program in the folder that the host mounts read-only: nothing that the container can change may run like
   that, because it would be root's equal on the host.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from devenv.errors import ProfileError


class Way(enum.Enum):
    LINK = "link"
    OWNER = "owner"
    PRIVILEGED = "privileged"


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """What the agent says of one process (devenv.agent.proclist)."""

    pid: int
    ppid: int
    uid: int
    gid: int
    name: str
    state: str
    threads: int
    argv: tuple[str, ...]
    exe: str
    python: bool
    env: Mapping[str, str]
    attach: int
    inside: bool

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Process:
        return cls(
            pid=int(item["pid"]),
            ppid=int(item["ppid"]),
            uid=int(item["uid"]),
            gid=int(item["gid"]),
            name=str(item["name"]),
            state=str(item["state"]),
            threads=int(item["threads"]),
            argv=tuple(str(word) for word in item["argv"]),
            exe=str(item["exe"]),
            python=bool(item["python"]),
            env={str(name): str(value) for name, value in item["env"].items()},
            attach=int(item["attach"]),
            inside=bool(item["inside"]),
        )


def ways(process: Process, *, uid: int, yama: int, mounted: bool) -> list[Way]:
    """What to try, in order; `uid` is the remote user's, `mounted` whether the tool lies where the container cannot
    change it. Raises ProfileError when nothing can work."""
    if not process.inside:
        raise ProfileError(
            f"process {process.pid} does not belong to this container (it shares the host's process ids)",
            "`devenv stack` without a number shows the newest run",
        )
    if process.attach == 0:
        return [Way.LINK]
    found = []
    if process.uid != uid and yama <= 0:
        found.append(Way.OWNER)
    if mounted and yama < 3:
        found.append(Way.PRIVILEGED)
    if not found:
        raise ProfileError(refusal(process, uid=uid, yama=yama), remedy(yama))
    return found


def refusal(process: Process, *, uid: int, yama: int) -> str:
    """Why a process cannot be looked into."""
    who = f"process {process.pid} ({process.name})"
    if yama >= 3:
        return f"{who} cannot be looked into: this machine's kernel forbids it to everybody (Yama ptrace_scope 3)"
    if yama >= 1:
        return f"{who} cannot be looked into: the kernel lets only parents do so (Yama ptrace_scope {yama})"
    if process.uid != uid:
        return f"{who} cannot be looked into: it belongs to user {process.uid} and has closed itself to others"
    return f"{who} cannot be looked into: it has closed itself to others (it is not dumpable)"


def remedy(yama: int) -> str:
    if yama >= 3:
        return "only a restart of the machine without kernel.yama.ptrace_scope=3 changes that"
    return (
        'add "capAdd": ["SYS_PTRACE"] to devcontainer.json, then `devenv rebuild`;'
        " a container that devenv itself made needs no more than that"
    )
