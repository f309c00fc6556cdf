"""Ordinary users of this machine: the product's users are not root, and their uid is neither 0 nor 1000."""

from __future__ import annotations

import contextlib
import dataclasses
import grp
import os
import pwd
import signal
import subprocess
import time
from pathlib import Path

# Only accounts of the rig may be emptied and removed.
PREFIX = "rig-"


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    name: str
    uid: int
    gid: int
    home: Path
    groups: tuple[int, ...]

    def environment(self) -> dict[str, str]:
        """What a fresh login of this user has, and nothing of the tests' own environment."""
        return {
            "HOME": str(self.home),
            "USER": self.name,
            "LOGNAME": self.name,
            "SHELL": "/bin/bash",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
        }


def this_user() -> User:
    """The user that runs the tests."""
    entry = pwd.getpwuid(os.getuid())
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, Path.home(), tuple(os.getgroups()))


def make_user(name: str) -> User:
    """Creates a user for this test process in group docker; needs root. Two test processes get two users."""
    account = f"{PREFIX}{name}-{os.getpid()}"
    remove_user(account)
    shape = ["--create-home", "--shell", "/bin/bash", "--groups", "docker"]
    uids = ["--key", "UID_MIN=23000", "--key", "UID_MAX=29999"]
    subprocess.run(["useradd", *shape, *uids, account], check=True, capture_output=True)
    entry = pwd.getpwnam(account)
    groups = (entry.pw_gid, grp.getgrnam("docker").gr_gid)
    return User(account, entry.pw_uid, entry.pw_gid, Path(entry.pw_dir), groups)


def sweep_users() -> None:
    """Removes the users of test processes that were killed."""
    for entry in pwd.getpwall():
        owner = entry.pw_name.rpartition("-")[2]
        if entry.pw_name.startswith(PREFIX) and owner.isdigit() and not Path("/proc", owner).exists():
            remove_user(entry.pw_name)


def remove_user(name: str) -> None:
    """Ends every process of the user, then removes user and home. Does nothing when there is no such user."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        return
    if not name.startswith(PREFIX):
        raise ValueError(f"{name} is not a test user")
    end_processes(uid)
    subprocess.run(["userdel", "--remove", "--force", name], check=False, capture_output=True)


def processes(uid: int) -> list[int]:
    """The processes of a user on this machine, those inside containers left out (they share the uid only)."""
    own = os.readlink("/proc/self/ns/pid")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == uid and os.readlink(entry / "ns/pid") == own:
                    found.append(int(entry.name))
    return found


def end_processes(uid: int, patience: float = 5.0) -> None:
    """TERM, and KILL for those that stay; returns when none is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + patience
        for pid in processes(uid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while processes(uid):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return
