"""One process to start under a keeper, as a value: what it runs, where, with which variables and terminal.

A spec is complete (nothing is looked up later) and it is the only thing that is sent to the agent. Its environment may
hold secrets, so it is never logged, and never part of `meta`, which the run's record keeps.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Protocol

from devenv.link.port import WindowSize

SPOOL_CAP = 1 << 30  # bytes of output kept per run
GRACE = (5, 5)  # seconds after INT, after TERM


class Probed(Protocol):
    """The remote user's environment as found in the container (see `environment`)."""

    @property
    def env(self) -> Mapping[str, str]: ...
    @property
    def python(self) -> str | None: ...
    @property
    def shell(self) -> str: ...


class ProgramKind(enum.StrEnum):
    SCRIPT = "script"
    MODULE = "module"
    COMMAND = "command"


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """What a run executes, before it is made an argument list; a debugger is put in front of this, not of an argv."""

    kind: ProgramKind
    target: str  # script path as the process sees it, dotted module, or the program of a command
    args: tuple[str, ...] = ()
    python: str = ""  # interpreter of a script or module; "" for a command
    flags: tuple[str, ...] = ()  # interpreter options, e.g. ("-u",)

    @property
    def argv(self) -> tuple[str, ...]:
        match self.kind:
            case ProgramKind.SCRIPT:
                return (self.python, *self.flags, self.target, *self.args)
            case ProgramKind.MODULE:
                return (self.python, *self.flags, "-m", self.target, *self.args)
            case ProgramKind.COMMAND:
                return (self.target, *self.args)


@dataclasses.dataclass(frozen=True, slots=True)
class RunSpec:
    name: str
    kind: str  # run | debug | test | service
    program: Program
    env: Mapping[str, str] = dataclasses.field(repr=False)
    cwd: str  # in the container
    argv: tuple[str, ...]
    tty: WindowSize | None = None  # None: pipes, stdout and stderr apart
    umask: int | None = None
    meta: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    events: bool = False
    wait_attach: bool = False
    cap_bytes: int = SPOOL_CAP
    grace: tuple[int, int] = GRACE

    def to_wire(self) -> dict[str, Any]:
        """The `run` map of the agent's `runs.start`."""
        wire: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "argv": list(self.argv),
            "env": dict(self.env),
            "cwd": self.cwd,
            "tty": None if self.tty is None else {"rows": self.tty.rows, "columns": self.tty.columns},
            "meta": dict(self.meta),
            "cap_bytes": self.cap_bytes,
            "grace": list(self.grace),
            "events": self.events,
            "wait_attach": self.wait_attach,
        }
        if self.umask is not None:
            wire["umask"] = self.umask
        return wire


def append_path(value: str | None, entry: str) -> str:
    """`entry` at the end of a colon-separated list: what the user put there keeps its precedence."""
    return f"{value}:{entry}" if value else entry


def compose_env(
    probed: Mapping[str, str],
    remote_env: Mapping[str, str | None],
    run_env: Mapping[str, str],
    *,
    terminal: Mapping[str, str] | None,
) -> dict[str, str]:
    """The complete environment of a run: probed, below `remoteEnv` (None removes), below the run's own.

    `terminal` is the client's environment when the run gets a terminal: TERM and COLORTERM describe the client's
    screen. Without a terminal Python is made unbuffered, so that output arrives when it is printed.
    """
    env = dict(probed)
    for name, value in remote_env.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    if terminal is None:
        env.setdefault("PYTHONUNBUFFERED", "1")
    else:
        env["TERM"] = terminal.get("TERM") or "xterm-256color"
        if colour := terminal.get("COLORTERM"):
            env["COLORTERM"] = colour
    env.update(run_env)
    return env
