"""`python -m devenv.supervisor`: started by the first client that finds none. One per user and machine (a lock)."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import pathlib
import resource
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

from devenv.api import paths

if TYPE_CHECKING:
    from devenv.forward.handover import Listener

_PATIENCE = 8.0  # seconds
_LOG_LIMIT = 4 << 20  # bytes; the older half is given up at a start


def main() -> int:
    ready = int(sys.argv[sys.argv.index("--ready-fd") + 1]) if "--ready-fd" in sys.argv else None
    os.umask(0o077)
    state = pathlib.Path(paths.state_folder())
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(state / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    succeeds = "--succeed" in sys.argv
    legacy = None
    if succeeds:
        import devenv.supervisor.wiring  # noqa: F401 - what can fail fails before anything is taken from anyone
        from devenv.supervisor import succession

        try:
            legacy = succession.ask(paths.socket_path(str(state)))
        except succession.AlreadySucceeded:
            _tell(ready, "ready")
            return 0
    if not _lock(lock, _PATIENCE if succeeds else 0.0):
        if legacy is not None:
            legacy.refuse()
        _tell(ready, "busy")
        return 0
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    os.umask(0o022)  # for what is written into projects; the state folder is closed to others by its own mode
    _configure_log(state / "supervisor.log")
    _raise_descriptor_limit()
    listener = _listen(paths.socket_path(str(state)))
    if legacy is not None:
        legacy.take()
    try:
        asyncio.run(_serve(state, lock, listener, legacy.listeners if legacy is not None else {}, ready))
    except Exception:
        logging.getLogger("devenv.supervisor").exception("the supervisor ends")
        return 1
    return 0


async def _serve(
    state: pathlib.Path,
    lock: int,
    listener: socket.socket,
    inherited: dict[str, list[Listener]],
    ready: int | None,
) -> None:
    from devenv.supervisor.wiring import build

    loop = asyncio.get_running_loop()
    supervisor = build(state, lock, inherited)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.server.stopping.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    _tell(ready, "ready")
    try:
        await supervisor.run(listener)
    finally:
        if _lock(lock, 0.0):  # else a successor has it, and the path
            os.unlink(paths.socket_path(str(state)))


def _listen(path: str) -> socket.socket:
    """The lock is held, so whatever stands at the path is a dead supervisor's or one's that hands over.

    The name comes last: no client meets a missing socket, or one on which nobody listens.
    """
    fresh = pathlib.Path(path + ".new")
    fresh.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(fresh))
    fresh.chmod(0o600)
    listener.listen(256)
    listener.setblocking(False)
    fresh.replace(path)
    return listener


def _lock(lock: int, patience: float) -> bool:
    """Takes the lock; a predecessor that was asked to stop gives it up within `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        time.sleep(0.02)  # a lock tells nobody that it is free, and waiting for it has no deadline


def _tell(ready: int | None, word: str) -> None:
    if ready is not None:
        os.write(ready, word.encode() + b"\n")
        os.close(ready)


def _configure_log(path: pathlib.Path) -> None:
    """The log is this process's stderr too, so that even a crash of the interpreter leaves its words."""
    if path.exists() and path.stat().st_size > _LOG_LIMIT:
        tail = path.read_bytes()[-_LOG_LIMIT // 2 :]
        path.write_bytes(tail)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )


def _raise_descriptor_limit() -> None:
    """Each forwarded connection takes two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(65536, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
