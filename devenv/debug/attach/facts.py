"""What a look at a process, and at our own rights beside it, has shown. Said by the container, so checked here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from devenv.delivery.interpreter import Interpreter

SYS_PTRACE = 1 << 19


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """The process to attach to. `interpreter` is None when its program is no Python that can be started by itself."""

    pid: int
    started: int  # the kernel's ticks: with the pid this names one process
    uid: int
    gid: int
    state: str  # the kernel's letter: R, S, D, T, t, Z
    tracer: int  # the pid of a process that traces it, 0 for none
    name: str
    exe: str
    capabilities: int
    may_open: int  # 0, or the errno of the attempt to open its memory
    env: Mapping[str, str]
    interpreter: Interpreter | None
    has_ctypes: bool
    has_remote_exec: bool

    @property
    def replaced(self) -> bool:
        """Whether the interpreter's file is another one by now, or gone."""
        return self.exe.endswith(" (deleted)")


@dataclasses.dataclass(frozen=True, slots=True)
class Survey:
    subject: Subject | None  # None: there is no such process
    uid: int
    capabilities: int
    yama: int  # ptrace_scope; -1 when the kernel has no Yama
    has_ctypes: bool  # in the Python that looked

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Survey:
        """Raises ValueError, KeyError or TypeError for an answer that is none."""
        process = said["process"]
        return cls(
            subject=None if process is None else _subject(process),
            uid=int(said["uid"]),
            capabilities=int(said["capabilities"]),
            yama=int(said["yama"]),
            has_ctypes=bool(said["ctypes"]),
        )


def _subject(said: Mapping[str, Any]) -> Subject:
    about = said.get("about") or {}
    return Subject(
        pid=int(said["pid"]),
        started=int(said["started"]),
        uid=int(said["uid"]),
        gid=int(said["gid"]),
        state=str(said["state"])[:1],
        tracer=int(said["tracer"]),
        name=str(said["name"])[:64],
        exe=str(said["exe"]),
        capabilities=int(said["capabilities"]),
        may_open=int(said["open"]),
        env={str(name): str(value) for name, value in (said.get("env") or {}).items()},
        interpreter=_interpreter(about) if about else None,
        has_ctypes=bool(about.get("ctypes")),
        has_remote_exec=bool(about.get("remote_exec")),
    )


def _interpreter(about: Mapping[str, Any]) -> Interpreter:
    major, minor, patch = (int(part) for part in about["version"])
    libc = str(about["libc"]).split()
    glibc = None
    if len(libc) == 2 and libc[0] == "glibc":
        parts = libc[1].split(".")
        glibc = (int(parts[0]), int(parts[1]))
    return Interpreter(
        str(about["executable"]), (major, minor, patch), str(about["machine"]), glibc, str(about["implementation"])
    )
