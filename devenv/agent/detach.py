"""Leaving the agent: the fork that becomes a run's keeper, with nothing of the agent's left in it."""

import gc
import os
import signal
import time

from . import jsontext, records
from .keeper import Keeper, tell_starter
from .order import Order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

    from .loop import Loop


def start(loop: "Loop", runs: str, order: Order, done: "Callable[[dict[str, Any]], None]") -> None:
    """Forks a keeper. `done` gets {"record": ...} once the program runs, or {"error": {...}}."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _detach(runs, order, write)
    os.close(write)
    answer: "list[bytes]" = []
    os.set_blocking(read, False)

    def readable() -> None:
        try:
            data = os.read(read, 1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        if data:
            answer.append(data)
            return
        loop.forget(read)
        os.close(read)
        try:
            done(jsontext.loads(b"".join(answer).decode("utf-8", "surrogateescape")))
        except ValueError:
            done({"error": {"code": "keeper-failed", "message": "the run's keeper did not start"}})

    loop.add_reader(read, readable)


def _detach(runs: str, order: Order, report: int) -> "NoReturn":
    """In the forked child: leaves the agent's session, descriptors and signals, and becomes the keeper."""
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        # Garbage of the agent would close numbers that are ours by then.
        gc.collect()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        _close_all_but(report)
        os.chdir("/")
        os.umask(0o077)
        _keep(runs, order, report)
    except BaseException as error:  # the last thing a keeper can do for its starter
        tell_starter(report, {"error": {"code": "keeper-failed", "message": "%s: %s" % (type(error).__name__, error)}})
    os._exit(1)


def _close_all_but(report: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    try:
        open_now = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        open_now = list(range(3, 4096))
    for fd in open_now:
        if fd > 2 and fd != report:
            try:
                os.close(fd)
            except OSError:
                pass


def _keep(runs: str, order: Order, report: int) -> "NoReturn":
    now = time.time()
    while True:
        folder = records.Folder(runs, records.new_id(now))
        try:
            folder.create()
            break
        except FileExistsError:
            continue
    lock = -1
    try:
        lock = folder.lock()
        keeper = Keeper(folder, order, report, now)
    except BaseException as error:
        number = getattr(error, "errno", None)
        code = getattr(error, "code", "keeper-failed")
        folder.remove()
        tell_starter(
            report, {"error": {"code": code, "message": str(error), "errno": getattr(error, "number", number)}}
        )
        os._exit(1)
    try:
        keeper.loop.run()
    except BaseException as error:  # a defect of ours: say it in the record, and leave nothing behind
        keeper.fail(error)
    os.close(lock)
    os._exit(0)
