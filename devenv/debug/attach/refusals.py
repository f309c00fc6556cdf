"""Whether a process can be attached to, from what is known of it: refused before anything is done, with the reason and
the way out. Pure.

A right that is missing can be given at creation, or for this once by a privileged exec of the engine. That one runs the
container's own Python with every capability, so it is only done for a person who has said so.
"""

from __future__ import annotations

import errno

from devenv.debug.attach.facts import SYS_PTRACE, Subject, Survey
from devenv.errors import DebugError, DevenvError, NotFound, Refused

_NO_TRACING = '"capAdd": ["SYS_PTRACE"] in devcontainer.json (or runArgs --cap-add=SYS_PTRACE), then devenv rebuild'
_OFFER = "for this once: devenv debug --attach --privileged, if you trust this container with root's rights on its host"
_MACHINES = ("x86_64", "aarch64")


def check(survey: Survey, pid: int, who: str) -> Subject:
    """The process, when nothing is known that forbids to enter it but a missing right (`missing_right`).

    `who` names it in messages. Raises NotFound and DebugError.
    """
    subject = survey.subject
    if subject is None or subject.state in "ZX":
        raise NotFound(f"{who} has ended", "see: devenv runs")
    if subject.state in "Tt" and not subject.tracer:
        raise DebugError(f"{who} is stopped (SIGSTOP or Ctrl-Z)", f"let it go on first: devenv exec kill -CONT {pid}")
    if subject.tracer:
        raise DebugError(
            f"{who} is held by another debugger (gdb, strace, py-spy, ...: process {subject.tracer})",
            "end that one, then try again",
        )
    return subject


def check_python(survey: Survey, subject: Subject, who: str) -> None:
    """Raises DebugError when it is no Python that we can enter."""
    interpreter = subject.interpreter
    if interpreter is None:
        raise DebugError(
            f"{who} is no Python program that can be attached to: {subject.exe or subject.name} is none",
            "name the Python process itself by its number, see: devenv exec -- ps ax",
        )
    version = ".".join(map(str, interpreter.version))
    if interpreter.minor < (3, 6):
        raise DebugError(
            f"{who} runs Python {version}: no debugger for it can be brought in",
            "attaching needs Python 3.6 or later; Python 2 has none",
        )
    if interpreter.implementation != "cpython":
        raise DebugError(
            f"{who} runs {interpreter.implementation} {version}, which cannot be entered from outside",
            "start it under the debugger: devenv debug --no-wait",
        )
    if interpreter.machine not in _MACHINES:
        raise DebugError(
            f"{who} runs on a processor of which attaching knows nothing ({interpreter.machine})",
            "start it under the debugger: devenv debug --no-wait",
        )
    if not subject.has_ctypes and not survey.has_ctypes:
        raise DebugError(
            f"no Python in the container has the module ctypes ({subject.exe}), which attaching needs",
            "install the complete standard library (Debian: python3 instead of python3-minimal)",
        )


def missing_right(survey: Survey, subject: Subject, who: str) -> DevenvError | None:
    """Why this user may not enter the process; None when he may."""
    if not subject.may_open:
        return None
    if survey.yama >= 3:
        return Refused(
            f"{who} cannot be entered: the machine's kernel forbids tracing to everybody (Yama, ptrace_scope 3)",
            "only its administrator can change that, with a restart",
        )
    if subject.may_open not in (errno.EPERM, errno.EACCES):
        return DebugError(f"{who} cannot be entered (errno {subject.may_open})", "see: devenv runs")
    if survey.yama >= 1 and not survey.capabilities & SYS_PTRACE:
        why = f"the machine's kernel wants SYS_PTRACE for it (Yama, ptrace_scope {survey.yama})"
    elif subject.uid != survey.uid:
        why = f"it belongs to user {subject.uid}, we are user {survey.uid}, and the container has no SYS_PTRACE"
    elif subject.capabilities & ~survey.capabilities:
        why = "it has capabilities that we do not have, and the container has no SYS_PTRACE"
    else:
        why = "it has closed itself to debuggers (not dumpable), and the container has no SYS_PTRACE"
    return Refused(f"{who} may not be entered: {why}", f"{_NO_TRACING}; or {_OFFER}", details={"ask": "privileged"})


def from_job(problem: str, why: str, number: int, who: str) -> DevenvError:
    """What the job in the container says went wrong, in words for people. The program goes on in each of these."""
    goes_on = "the program goes on as before"
    if problem == "ended":
        return NotFound(f"{who} has ended", "see: devenv runs")
    if problem == "trial":
        return DebugError(
            f"{who} was not touched: a trial on a throw-away process of the same interpreter failed: {why}",
            f"where tracing is forbidden (seccomp): {_NO_TRACING}",
            details={"trial": why},
        )
    if problem == "no-way":
        return DebugError(f"{who} cannot be entered: {why}", "start it under the debugger: devenv debug --no-wait")
    if problem == "foreign":
        return DebugError(
            f"{who} has brought a debugger of its own (debugpy or pydevd), and a program can have only one",
            "attach to the port that it listens on: devenv forward PORT",
        )
    if problem == "adapter":
        return DebugError(f"debugpy's adapter does not start in the container: {why}", f"{who} was not touched")
    if problem == "guest":
        return DebugError(f"debugpy could not start in {who}: {why}", goes_on)
    if problem == "silent":
        return DebugError(
            f"debugpy has begun in {who}, but does not come to an end: the program keeps the interpreter's lock",
            f"{goes_on}; see where it stands: devenv stack {who.split()[0]}",
        )
    if problem == "trace" and number in (errno.EPERM, errno.EACCES):
        return Refused(f"{who} may not be entered: {why}", f"{_NO_TRACING}; or {_OFFER}", details={"ask": "privileged"})
    return DebugError(f"{who} could not be entered: {why or problem}", goes_on)
