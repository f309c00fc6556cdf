"""Who holds a host port, as far as this user may know: process, command and user from /proc. Never raises."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import pwd

_LISTEN = "0A"


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    user: str
    pid: int | None = None
    command: str = ""

    def __str__(self) -> str:
        if self.pid is None:
            return f"a process of {self.user}"
        return f"{self.command or 'a process'} (pid {self.pid}, {self.user})"


def find_holder(port: int, proc: pathlib.Path = pathlib.Path("/proc")) -> Holder | None:
    """None: nothing is seen listening there (another network namespace, or not Linux)."""
    rows = [row for table in ("tcp", "tcp6") for row in _listeners(proc / "net" / table, port)]
    if not rows:
        return None
    wanted = {f"socket:[{inode}]" for _, inode in rows}
    user = _user(rows[0][0])
    try:
        processes = sorted((entry for entry in proc.iterdir() if entry.name.isdigit()), key=lambda e: int(e.name))
    except OSError:
        return Holder(user)
    for process in processes:
        if _holds(process, wanted):
            try:
                parts = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                command = b" ".join(parts).decode("utf-8", "replace")
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
            except OSError:
                command, name = "", ""
            return Holder(user, int(process.name), _short(command, name))
    return Holder(user)


def _listeners(table: pathlib.Path, port: int) -> list[tuple[int, int]]:
    """(uid, inode) of each listener on `port`."""
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            found.append((int(fields[7]), int(fields[9])))
    return found


def _holds(process: pathlib.Path, wanted: set[str]) -> bool:
    try:
        names = os.listdir(process / "fd")  # noqa: PTH208 - names are enough, and there may be thousands
    except OSError:
        return False
    for name in names:
        try:
            if os.readlink(f"{process}/fd/{name}") in wanted:  # noqa: PTH115
                return True
        except OSError:
            continue
    return False


def _short(command: str, name: str) -> str:
    return name if not command or len(command) > 60 else command


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
