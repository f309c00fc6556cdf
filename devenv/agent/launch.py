"""Starting a program: fork and exec with the least work between, because `subprocess` alone costs more to import than
our whole start.

The child gets exactly the environment, folder, descriptors and umask asked for, its own session, default signals, and
no descriptor of ours (all of them close on exec).
"""

import errno
import fcntl
import os
import signal
import struct

from . import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Mapping, NoReturn

    from .loop import Loop

_FAILURE = struct.Struct(">cI")
_DEFAULT_PATH = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class LaunchError(Exception):
    """The program could not be started. `code` is the protocol's word for it."""

    def __init__(self, code: str, message: str, number: int) -> None:
        Exception.__init__(self, message)
        self.code = code
        self.number = number


class Order:
    """What to start. Texts are turned to bytes here, in UTF-8 whatever the agent's own locale is."""

    def __init__(self, params: "Mapping[str, Any]") -> None:
        argv = params.get("argv")
        env = params.get("env")
        if not isinstance(argv, list) or not argv or not all(isinstance(item, str) for item in argv) or not argv[0]:
            raise ValueError("argv must be a list of texts that is not empty")
        if not isinstance(env, dict) or not all(isinstance(item, str) for item in env.values()):
            raise ValueError("env must map texts to texts")
        cwd = params.get("cwd")
        if not isinstance(cwd, str) or not cwd.startswith("/"):
            raise ValueError("cwd must be an absolute path")
        umask = params.get("umask")
        if umask is not None and not (isinstance(umask, int) and 0 <= umask <= 0o777):
            raise ValueError("umask must be a number up to 0o777")
        self.argv = [to_bytes(item) for item in argv]
        self.env: "dict[bytes, bytes]" = {}
        for key, value in env.items():
            name = to_bytes(key)
            if not name or b"=" in name:
                raise ValueError("bad name of a variable: %r" % key)
            self.env[name] = to_bytes(value)
        self.cwd = to_bytes(cwd)
        self.umask: "int | None" = umask
        self.size: "tuple[int, int] | None" = None
        tty = params.get("tty")
        if tty is not None:
            if not isinstance(tty, dict):
                raise ValueError("tty must be null or a size")
            self.size = (int(tty.get("rows") or 24), int(tty.get("columns") or 80))


def to_bytes(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if b"\0" in data:
        raise ValueError("a NUL byte in %r" % text)
    return data


def to_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class Launched:
    """A program being started: its pid, our sides of its descriptors, and the pipe that tells how exec went."""

    def __init__(self, pid: int, master: int, pipes: "tuple[int, int, int]", report: int) -> None:
        self.pid = pid
        self.master = master  # our side of the terminal, or -1
        self.stdin, self.stdout, self.stderr = pipes  # our ends, or -1 each
        self.report = report

    def descriptors(self) -> "list[int]":
        return [fd for fd in (self.master, self.stdin, self.stdout, self.stderr) if fd >= 0]


def launch(
    order: Order, inherited: "Mapping[int, int] | None" = None, prepare: "Callable[[], None] | None" = None
) -> Launched:
    """Forks. `inherited` maps numbers that the child shall have to our descriptors; `prepare` runs in the child.

    The outcome of exec comes through `Launched.report` (`outcome`, `watch_outcome`): nothing here waits for it.
    """
    ours: "list[int]" = []
    theirs: "list[int]" = []

    def pipe(child_reads: bool) -> int:
        read, write = os.pipe()
        theirs.append(read if child_reads else write)
        ours.append(write if child_reads else read)
        return ours[-1]

    master = -1
    pipes = (-1, -1, -1)
    try:
        if order.size is not None:
            master, slave = terminal.open_pair(*order.size)
            ours.append(master)
            theirs.append(slave)
            stdio = [slave, slave, slave]
        else:
            pipes = (pipe(True), pipe(False), pipe(False))
            stdio = list(theirs)
        report, report_write = os.pipe()
        ours.append(report)
        theirs.append(report_write)
        pid = os.fork()
    except OSError as error:
        for fd in ours + theirs:
            os.close(fd)
        raise LaunchError(
            "no-resources", "cannot start a process: %s" % os.strerror(error.errno or 0), error.errno or 0
        ) from error
    if pid == 0:
        _become(order, stdio, master >= 0, report_write, inherited or {}, prepare)
    for fd in theirs:
        os.close(fd)
    return Launched(pid, master, pipes, report)


def _become(
    order: Order,
    stdio: "list[int]",
    has_terminal: bool,
    report: int,
    inherited: "Mapping[int, int]",
    prepare: "Callable[[], None] | None",
) -> "NoReturn":
    stage = b"x"
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        if has_terminal:
            fcntl.ioctl(stdio[0], terminal.TIOCSCTTY, 0)
        for number, fd in enumerate(stdio):
            os.dup2(fd, number)
        for number, fd in inherited.items():
            if fd == number:
                os.set_inheritable(fd, True)
            else:
                os.dup2(fd, number)
        if order.umask is not None:
            os.umask(order.umask)
        if prepare is not None:
            prepare()
        for item in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(item, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        stage = b"c"
        os.chdir(order.cwd)
        stage = b"x"
        _exec(order.argv, order.env)
    except BaseException as error:  # nothing of ours may go on running in the child
        number = getattr(error, "errno", None) or errno.EINVAL
        try:
            os.write(report, _FAILURE.pack(stage, number))
        except BaseException:
            pass
    os._exit(127)


def _exec(argv: "list[bytes]", env: "dict[bytes, bytes]") -> None:
    name = argv[0]
    if b"/" in name:
        _exec_file(name, argv, env)
    denied: "OSError | None" = None
    for folder in env.get(b"PATH", _DEFAULT_PATH).split(b":"):
        try:
            _exec_file(os.path.join(folder or b".", name), argv, env)
        except OSError as error:
            if error.errno == errno.EACCES:
                denied = error
            elif error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
                raise
    raise denied or OSError(errno.ENOENT, "not found")


def _exec_file(path: bytes, argv: "list[bytes]", env: "dict[bytes, bytes]") -> None:
    try:
        os.execve(path, argv, env)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script without a first line that names its interpreter: the shell runs it, as execvp(3) does.
        os.execve(b"/bin/sh", [b"/bin/sh", path] + argv[1:], env)


def failure(order: Order, data: bytes) -> "LaunchError | None":
    """What the report says: None when the program runs."""
    if len(data) < _FAILURE.size:
        return None
    stage, number = _FAILURE.unpack(data[: _FAILURE.size])
    reason = os.strerror(number)
    if stage == b"c":
        return LaunchError("no-cwd", "%s: %s" % (to_text(order.cwd), reason), number)
    name = to_text(order.argv[0])
    if number == errno.ENOENT and not (
        b"/" in order.argv[0] and os.path.exists(os.path.join(order.cwd, order.argv[0]))
    ):
        return LaunchError("not-found", "%s: %s" % (name, reason), number)
    if number in (errno.EACCES, errno.ENOEXEC, errno.EISDIR, errno.EPERM):
        return LaunchError("not-executable", "%s: %s" % (name, reason), number)
    if number == errno.ENOENT:
        return LaunchError("not-executable", "%s: its interpreter does not exist" % name, number)
    return LaunchError("exec-failed", "%s: %s" % (name, reason), number)


def watch_outcome(loop: "Loop", order: Order, launched: Launched, done: "Callable[[LaunchError | None], None]") -> None:
    """Calls `done` once it is known whether the program runs. A file system that hangs delays only this one."""

    def readable() -> None:
        data = os.read(launched.report, _FAILURE.size)
        loop.forget(launched.report)
        os.close(launched.report)
        done(failure(order, data))

    loop.add_reader(launched.report, readable)


def signal_group(group: int, number: int) -> bool:
    """True when someone was there to get it."""
    if group <= 1:
        return False
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # a program of another user (sudo) is alive in it
    return True


def as_result(status: int) -> "dict[str, int]":
    """A wait status as the CLOSE of a process says it."""
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status)}
    return {"exit": os.WEXITSTATUS(status)}


def search(name: bytes, path: bytes, cwd: bytes) -> "bytes | None":
    """Where exec would find `name`, or None."""
    candidates = [name] if b"/" in name else [os.path.join(folder or b".", name) for folder in path.split(b":")]
    for candidate in candidates:
        full = os.path.join(cwd, candidate)
        if os.path.isfile(full) and os.access(full, os.X_OK):
            return full
    return None


def valid_signal(number: "Any") -> int:
    if not isinstance(number, int) or not 1 <= number <= 64:
        raise ValueError("no such signal: %r" % (number,))
    return number
