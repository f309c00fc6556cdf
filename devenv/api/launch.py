"""Starts the supervisor when none answers. Loaded only then."""

import fcntl
import os
import select
import subprocess
import sys
import time
from _socket import AF_UNIX, SOCK_STREAM
from _socket import socket as Socket

from devenv.api.paths import socket_path, state_folder
from devenv.errors import InternalError, LinkError

_DEADLINE = 20.0  # seconds, on a machine that swaps


def start_supervisor() -> None:
    """Returns when a supervisor of this user listens. Two callers at once get one supervisor (it holds a lock)."""
    state = _prepared_state()
    deadline = time.monotonic() + _DEADLINE
    while True:
        word = _spawn(state, deadline)
        if word == "ready":
            return
        if word != "busy" or time.monotonic() >= deadline:
            raise _did_not_start(state, word)
        # Another holds the lock: it is about to listen, or on its way out; then the next one gets the lock.
        if _wait_for_other(state, min(deadline, time.monotonic() + 1.0)):
            return


def start_successor() -> None:
    """Returns when a supervisor of this version has taken over from the older one that listens.

    Two callers at once: the second one's successor finds the first one's, and leaves.
    """
    state = _prepared_state()
    turn = os.open(state + "/handover.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        word = _spawn(state, time.monotonic() + _DEADLINE, "--succeed")
    finally:
        os.close(turn)
    if word != "ready":
        raise _did_not_start(state, word)


def _did_not_start(state: str, word: str) -> InternalError:
    return InternalError(f"the supervisor did not start: {word or 'no answer'}", f"its log is {state}/supervisor.log")


def _prepared_state() -> str:
    state = state_folder()
    os.makedirs(state, mode=0o700, exist_ok=True)
    info = os.stat(state)
    if info.st_uid != os.getuid() or info.st_mode & 0o077:
        if info.st_uid != os.getuid():
            raise LinkError(f"{state} belongs to another user", "remove it, or ask its owner to")
        os.chmod(state, 0o700)
    return state


def _spawn(state: str, deadline: float, *options: str) -> str:
    """Starts one and returns what it says: `ready`, `busy` (another holds the lock), or nothing (it died)."""
    ready_read, ready_write = os.pipe()
    os.set_inheritable(ready_write, True)
    log = os.open(state + "/supervisor.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        subprocess.Popen(
            [sys.executable, "-m", "devenv.supervisor", "--ready-fd", str(ready_write), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=_environment(),
            start_new_session=True,
            pass_fds=(ready_write,),
        )
    finally:
        os.close(log)
        os.close(ready_write)
    answer = b""
    with os.fdopen(ready_read, "rb", buffering=0) as ready:
        fcntl.fcntl(ready, fcntl.F_SETFL, os.O_NONBLOCK)
        while b"\n" not in answer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([ready], [], [], left)[0]:
                break
            chunk = ready.read(4096)
            if not chunk:
                break
            answer += chunk
    return answer.partition(b"\n")[0].decode("utf-8", "replace")


def _wait_for_other(state: str, deadline: float) -> bool:
    """Whether the process that holds the lock comes to listen before the deadline."""
    while time.monotonic() < deadline:
        sock = Socket(AF_UNIX, SOCK_STREAM)
        try:
            sock.connect(socket_path(state))
            return True
        except OSError:
            select.select([], [], [], 0.02)
        finally:
            sock.close()
    return False


def _environment() -> dict[str, str]:
    """Only what finds programs, and the keys of hosts: everything else comes with each request, from its client."""
    keep = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "SSH_AUTH_SOCK")
    return {name: os.environ[name] for name in keep if name in os.environ}
