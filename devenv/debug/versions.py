"""Which debugpy fits which interpreter. Pure: facts in, a choice out.

The newest debugpy that supports a Python version is fixed for versions that debugpy has left behind (its release
metadata, `Requires-Python`); a wrong one fails with an obscure error, so nothing is ever forced.
"""

from __future__ import annotations

import dataclasses
import re

from devenv.debug.tuning import REVISION
from devenv.delivery.interpreter import Interpreter as Interpreter
from devenv.errors import DebugError

# (from, before): the last release for these interpreters.
LAST_RELEASES: tuple[tuple[tuple[int, int], tuple[int, int], str], ...] = (
    ((3, 6), (3, 7), "1.5.1"),
    ((3, 7), (3, 8), "1.7.0"),
    ((3, 8), (3, 10), "1.8.21"),
)
_OWN_COPY_FROM = (3, 10)
_MONITORING_FROM = (3, 12)  # PEP 669: code without breakpoints is not instrumented
_MANYLINUX_2_34 = (1, 8, 17)  # from this release on, compiled wheels need glibc 2.34


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    version: str
    own_copy: bool  # the debugpy installed beside devenv; otherwise fetched
    compiled: bool  # with the speed-ups for exactly this interpreter
    interpreter: Interpreter

    @property
    def folder(self) -> str:
        """Name of its folder in the cache and in the container; equal names mean equal contents."""
        kind = f"{self.interpreter.tag}-{self.interpreter.machine}" if self.compiled else "pure"
        return f"debugpy-{self.version}-{kind}-{REVISION}"


def cost(interpreter: Interpreter) -> str:
    """What it costs to run under the debugger while no breakpoint stands; "" where that is nothing to speak of."""
    if interpreter.minor >= _MONITORING_FROM:
        return ""
    name = ".".join(map(str, interpreter.minor))
    return (
        f"under the debugger, Python {name} runs code that makes many calls 4 to 8 times slower (3.12 and later do "
        "not); --post-mortem and --attach cost nothing before they are needed"
    )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _satisfies(minor: tuple[int, int], requires_python: str) -> bool:
    """Whether the lower bound of a `Requires-Python` lets this version in (debugpy states only lower bounds)."""
    bound = re.search(r">=\s*(\d+)\.(\d+)", requires_python)
    return bound is None or minor >= (int(bound[1]), int(bound[2]))


def needed_glibc(version: str) -> tuple[int, int]:
    return (2, 34) if _release(version) >= _MANYLINUX_2_34 else (2, 17)


@dataclasses.dataclass(frozen=True, slots=True)
class OwnCopy:
    """The debugpy installed beside devenv: where it is, and for which (tag, machine) it has compiled speed-ups."""

    root: str
    version: str
    requires_python: str
    compiled: frozenset[tuple[str, str]]


def choose(interpreter: Interpreter, own_copy: OwnCopy) -> Choice:
    """The debugpy for this interpreter.

    Speed-ups are taken only where they can load: CPython on x86_64 with a new enough glibc, and for our own copy
    only the ones built for the same Python version. Without them debugpy is slower, not poorer.
    """
    version = own_copy.version
    own = interpreter.minor >= _OWN_COPY_FROM and _satisfies(interpreter.minor, own_copy.requires_python)
    if not own:
        found = [last for first, before, last in LAST_RELEASES if first <= interpreter.minor < before]
        if not found:
            name = ".".join(map(str, interpreter.version))
            raise DebugError(
                f"no debugpy fits Python {name} ({interpreter.executable})",
                "debugging needs Python 3.6 or later in the container",
            )
        version = found[0]
    compiled = (
        interpreter.implementation == "cpython"
        and interpreter.machine == "x86_64"
        and interpreter.glibc is not None
        and interpreter.glibc >= needed_glibc(version)
        and (not own or (interpreter.tag, interpreter.machine) in own_copy.compiled)
    )
    return Choice(version, own, compiled, interpreter)
