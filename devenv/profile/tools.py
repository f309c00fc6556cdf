"""Which release of which tool fits which container. Pure: facts in, a choice out.

* py-spy reads a process from outside: one static program for every Python (3.3 and later), glibc and musl.
* memray and viztracer live in the interpreter, so they are wheels for exactly this one; releases that a Python has left
  behind are fixed (their metadata, `Requires-Python`).
"""

from __future__ import annotations

import dataclasses
import re

from devenv.delivery import wheels
from devenv.delivery.interpreter import Interpreter
from devenv.errors import ProfileError

PY_SPY = "0.4.3"
_PY_SPY_WHEELS = {
    "x86_64": ("manylinux_2_5_x86_64", "manylinux1_x86_64"),
    "aarch64": ("manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "armv7l": ("manylinux_2_17_armv7l", "manylinux2014_armv7l"),
    "i686": ("manylinux_2_5_i686", "manylinux1_i686"),
}
_PY_SPY_PROGRAM = re.compile(r"^py_spy-[^/]+\.data/scripts/(py-spy)$")

# (from, before, release), newest Python first.
_RELEASES: dict[str, tuple[tuple[tuple[int, int], tuple[int, int], str], ...]] = {
    "memray": (((3, 9), (3, 15), "1.20.0"), ((3, 8), (3, 9), "1.19.3"), ((3, 7), (3, 8), "1.17.2")),
    "viztracer": (
        ((3, 10), (3, 15), "1.1.1"),
        ((3, 9), (3, 10), "1.0.4"),
        ((3, 8), (3, 9), "0.16.3"),
        ((3, 7), (3, 8), "0.15.6"),
    ),
}
_ASSETS = re.compile(r"/(html|web_dist|templates|assets|tests?)/|_test_utils|\.(pyi|html|js|wasm|css|woff2?)$")


@dataclasses.dataclass(frozen=True, slots=True)
class Tool:
    """One release of one tool for one kind of container."""

    name: str
    version: str
    folder: str  # its name in the cache and in the container; equal names mean equal contents
    python: tuple[int, ...]  # for pip
    options: tuple[str, ...]  # for pip: which wheels load there
    machine: str

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"

    def keep(self, member: str) -> str | None:
        """The path below the tool's folder of a file of its wheel; None for one that no container needs."""
        if self.name == "py-spy":
            match = _PY_SPY_PROGRAM.match(member)
            return match[1] if match else None
        inside = member.startswith((f"{self.name}/", f"{self.name}.libs/"))
        return member if inside and not _ASSETS.search(member) else None


def py_spy(machine: str, version: str = PY_SPY) -> Tool:
    """The program for a machine (uname's word). Raises ProfileError where none is published."""
    named = _PY_SPY_WHEELS.get(machine)
    if named is None:
        raise ProfileError(
            f"there is no py-spy for {machine or 'this machine'}", f"it is published for {', '.join(_PY_SPY_WHEELS)}"
        )
    options = tuple(word for name in named for word in ("--platform", name))
    return Tool("py-spy", version, f"py-spy-{version}-{machine}", (3, 11), options, machine)


def in_interpreter(name: str, interpreter: Interpreter) -> Tool:
    """memray or viztracer for an interpreter. Raises ProfileError for one that has no release."""
    said = ".".join(map(str, interpreter.version))
    if interpreter.implementation != "cpython":
        raise ProfileError(
            f"{name} works in CPython, and {interpreter.executable} is {interpreter.implementation}", "use CPython"
        )
    found = [last for first, before, last in _RELEASES[name] if first <= interpreter.minor < before]
    if not found:
        oldest = ".".join(map(str, _RELEASES[name][-1][0]))
        newest = f"3.{_RELEASES[name][0][1][1] - 1}"
        raise ProfileError(
            f"no {name} fits Python {said} ({interpreter.executable})",
            f"it works with Python {oldest} to {newest}; `devenv profile --cpu` works with every one",
        )
    libc = "musl" if interpreter.glibc is None else "gnu"
    return Tool(
        name,
        found[0],
        f"{name}-{found[0]}-{interpreter.tag}-{interpreter.machine}-{libc}",
        interpreter.minor,
        tuple(wheels.for_interpreter(interpreter, wheels.platforms(interpreter))),
        interpreter.machine,
    )
