"""Runs commands as a user of the machine: to the end, in the background, or on a terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.kit.outcome import Outcome
from tests.kit.users import User, this_user

# A test run in the background of a shell ignores Ctrl-C, and every child would inherit that.
DEFAULT_SIGNALS = ("env", "--default-signal=INT,QUIT,HUP,PIPE")


def _identity(user: User) -> dict[str, Any]:
    if user.uid == os.getuid():
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": list(user.groups)}


@dataclasses.dataclass(frozen=True, slots=True)
class Shell:
    """A user in a folder, with the folders that come first on PATH and further variables."""

    user: User
    cwd: Path
    path: tuple[Path, ...] = ()
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def at(self, cwd: Path) -> Shell:
        return dataclasses.replace(self, cwd=cwd)

    def having(self, **env: str) -> Shell:
        return dataclasses.replace(self, env={**self.env, **env})

    def environment(self) -> dict[str, str]:
        base = self.user.environment()
        base["PATH"] = os.pathsep.join([*map(str, self.path), base["PATH"]])
        return {**base, **self.env}

    def run(self, *argv: str | Path, stdin: bytes | str | None = None, timeout: float = 60.0) -> Outcome:
        """Runs to the end; stdin is empty unless given. A command that outlives `timeout` fails the test."""
        words = tuple(map(str, argv))
        data = stdin.encode() if isinstance(stdin, str) else (stdin or b"")
        began = time.monotonic()
        with self.start(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(data, timeout=timeout)
            except subprocess.TimeoutExpired:
                _kill_group(process.pid)
                out, err = process.communicate()
                late = Outcome(words, process.returncode, out, err, time.monotonic() - began)
                raise AssertionError(f"still running after {timeout} s\n{late.describe()}") from None
        return Outcome(words, process.returncode, out, err, time.monotonic() - began)

    def start(self, *argv: str | Path, session: tuple[str, ...] = ("setsid",), **popen: Any) -> subprocess.Popen[bytes]:
        """Starts in a session of its own; the caller waits for it or kills it (use `with`)."""
        return subprocess.Popen(
            [*session, *DEFAULT_SIGNALS, *map(str, argv)],
            cwd=self.cwd,
            env=self.environment(),
            **_identity(self.user),
            **popen,
        )

    def terminal(self, *argv: str | Path, rows: int = 24, columns: int = 80) -> Terminal:
        """Starts on a new terminal of that size."""
        return Terminal(self, tuple(map(str, argv)), rows, columns)


def run_as(
    user: User | None, argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, **options: Any
) -> Outcome:
    """Runs `argv` to the end as `user` (None: whoever runs the tests), with a clean environment plus `env`."""
    return Shell(user or this_user(), cwd, env=env or {}).run(*argv, **options)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


class Terminal:
    """A command on a pseudo-terminal, as a person has it. Use with `with`: leaving hangs up and reaps."""

    def __init__(self, shell: Shell, argv: tuple[str, ...], rows: int, columns: int) -> None:
        self.argv = argv
        self.seen = b""
        self._master, slave = pty.openpty()
        self.resize(rows, columns)
        if shell.user.uid != os.getuid():
            os.fchown(slave, shell.user.uid, -1)
        try:
            self._process = shell.start(*argv, stdin=slave, stdout=slave, stderr=slave, session=("setsid", "--ctty"))
        finally:
            os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            _kill_group(self._process.pid)
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def text(self) -> str:
        """Everything that was written to the terminal so far."""
        return self.seen.decode(errors="replace")

    def send(self, data: str | bytes) -> None:
        os.write(self._master, data.encode() if isinstance(data, str) else data)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, pattern: str, timeout: float = 30.0, *, after: int = 0) -> re.Match[str]:
        """Reads until the output from offset `after` on matches; the message shows what came instead."""
        deadline = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.text[after:])
            if match:
                return match
            if not self._read(deadline):
                raise AssertionError(f"no {pattern!r} from {' '.join(self.argv)}; the terminal shows:\n{self.text}")

    def wait(self, timeout: float = 30.0) -> int:
        """Reads to the end and returns the exit code (negative: signal)."""
        deadline = time.monotonic() + timeout
        while self._process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"{' '.join(self.argv)} still runs; the terminal shows:\n{self.text}")
            self._read(min(deadline, time.monotonic() + 0.05))
        while self._read(time.monotonic()):
            pass
        return self._process.returncode

    def hang_up(self) -> None:
        """Closes the terminal, as closing a window does."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def _read(self, deadline: float) -> bool:
        """One chunk into `seen`; False at the deadline or at the end of the output."""
        if self._master < 0:
            return False
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # EIO: the last process that had the terminal open is gone
            return False
        self.seen += chunk
        return bool(chunk)
