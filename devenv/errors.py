"""Every error a person can meet, with its exit code. One tree, one enumeration, one mapping.

DevenvError                  message (what, where), hint (what to do), code
├── UsageError               the command line is wrong
├── ConfigError              devcontainer.json or devenv.yaml is wrong; carries all problems
├── EngineError              the container engine
│   ├── EngineMissing        no engine answers
│   ├── EngineDenied         no permission on its socket
│   ├── ImageMissing         an image cannot be had
│   ├── BuildFailed          a build step failed; carries the step and its last lines
│   ├── ComposeFailed        Docker Compose refused; carries its last lines
│   └── ContainerGone        the container was removed or stopped from outside
├── HookFailed               a lifecycle command failed; names it
├── NotUp                    the environment is not running
├── NotFound                 a run, service, environment or script does not exist
│   └── NoProgram            exec: the program is not in the container
├── NotExecutable            exec: the program cannot be executed
├── LiveRuns                 stop, rebuild or down refused because runs are alive
├── LinkError                the agent cannot be reached
│   └── NoPython             the image has no usable Python
├── RegistryError            a registry, or another server that has features and templates
│   ├── RegistryDenied       401, 403; says which kinds of credentials were tried
│   ├── RegistryMissing      404: no such name, tag or digest there
│   ├── RegistryFailed       it answered with a failure (5xx), or with something that is no answer
│   ├── RegistryBusy         429: too many requests
│   ├── RegistryUnreachable  no connection: name, network, proxy
│   ├── RegistryTimeout      connected or not, no answer within the time limit
│   ├── RegistryUntrusted    its TLS certificate is not accepted
│   └── DigestMismatch       the bytes are not those that were asked for
├── FeatureError             a feature's files cannot be used (missing, unsafe, incomplete)
├── PortTaken                an explicitly asked host port is taken; names the holder
├── DebugError               the debugger cannot be started or reached
├── ProfileError             a profiler cannot be brought in, or may not look, or saw nothing
├── SyncHalted               files are not kept the same until a person has decided
├── Refused                  a safety rule said no (another owner, trust, host network)
│   └── GpuMissing           a GPU is required and cannot be given
├── Interrupted              what was waited for was ended by another command
└── InternalError            a defect of devenv itself

No other room may invent an exit code. Nothing is decided by an error's text.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from devcontainer.problem import Problem as Problem  # one record for both libraries' configuration files


class ExitCode(enum.IntEnum):
    """Exit codes of `devenv`. A child's own exit code passes through `exec`, `run`, `debug` and `test`.

    The codes stand at 64 and above (as in sysexits.h), clear of what programs commonly return.
    """

    OK = 0
    FAILURE = 1
    USAGE = 64
    CONFIG = 65
    NOT_FOUND = 66
    NOT_UP = 67
    LIVE_RUNS = 68
    ENGINE = 69
    INTERNAL = 70
    IMAGE = 71
    BUILD = 72
    HOOK = 73
    LINK = 74
    PORT = 75
    REGISTRY = 76
    REFUSED = 77
    DEBUG = 78
    SYNC = 79
    NOT_EXECUTABLE = 126  # `exec` only: what a shell says of a program that cannot be executed
    NO_PROGRAM = 127  # `exec` only: what a shell says of a program that is not there
    INTERRUPTED = 130


class DevenvError(Exception):
    """Base of the tree. `message` is one line of what and where; `hint` is one line of what to do."""

    code: ExitCode = ExitCode.FAILURE

    def __init__(self, message: str, hint: str = "", *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: dict[str, Any] = dict(details or {})

    def to_wire(self) -> dict[str, Any]:
        """The shape sent to clients and printed by --json: kind, message, hint, code, details."""
        return {
            "kind": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "code": int(self.code),
            "details": self.details,
        }


class UsageError(DevenvError):
    code = ExitCode.USAGE


class ConfigError(DevenvError):
    """All problems of a configuration together, not the first one."""

    code = ExitCode.CONFIG

    def __init__(self, problems: list[Problem], hint: str = "") -> None:
        super().__init__(
            "\n".join(str(p) for p in problems), hint, details={"problems": [p._asdict() for p in problems]}
        )
        self.problems = problems


class EngineError(DevenvError):
    code = ExitCode.ENGINE


class EngineMissing(EngineError):
    pass


class EngineDenied(EngineError):
    pass


class ImageMissing(EngineError):
    code = ExitCode.IMAGE


class BuildFailed(EngineError):
    code = ExitCode.BUILD


class ComposeFailed(EngineError):
    pass


class ContainerGone(EngineError):
    code = ExitCode.NOT_UP


class HookFailed(DevenvError):
    code = ExitCode.HOOK


class NotUp(DevenvError):
    code = ExitCode.NOT_UP


class NotFound(DevenvError):
    code = ExitCode.NOT_FOUND


class NoProgram(NotFound):
    code = ExitCode.NO_PROGRAM


class NotExecutable(DevenvError):
    code = ExitCode.NOT_EXECUTABLE


class LiveRuns(DevenvError):
    code = ExitCode.LIVE_RUNS


class LinkError(DevenvError):
    code = ExitCode.LINK


class NoPython(LinkError):
    pass


class RegistryError(DevenvError):
    """`details` has "registry" (host), and "status" (int) where the registry answered."""

    code = ExitCode.REGISTRY


class RegistryDenied(RegistryError):
    pass


class RegistryMissing(RegistryError):
    pass


class RegistryFailed(RegistryError):
    pass


class RegistryBusy(RegistryError):
    pass


class RegistryUnreachable(RegistryError):
    pass


class RegistryTimeout(RegistryError):
    pass


class RegistryUntrusted(RegistryError):
    pass


class DigestMismatch(RegistryError):
    pass


class FeatureError(DevenvError):
    """`details` has "feature": the reference as it was written."""

    code = ExitCode.CONFIG


class PortTaken(DevenvError):
    code = ExitCode.PORT


class DebugError(DevenvError):
    code = ExitCode.DEBUG


class ProfileError(DevenvError):
    code = ExitCode.DEBUG


class Refused(DevenvError):
    code = ExitCode.REFUSED


class GpuMissing(Refused):
    pass


class SyncHalted(DevenvError):
    code = ExitCode.SYNC


class Interrupted(DevenvError):
    code = ExitCode.INTERRUPTED


class InternalError(DevenvError):
    code = ExitCode.INTERNAL
