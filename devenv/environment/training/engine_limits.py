"""Whether the engine may give a container higher limits than it has itself. Looks at /proc, changes nothing.

An engine that runs as root can usually, and `docker info` does not tell where it cannot: in a container, on a hosted
development machine or a cluster's node, where the right to raise limits (CAP_SYS_RESOURCE) has been taken from
everybody. There it takes the container and cannot start it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping

from devenv.engine.port import EngineInfo
from devenv.gpu import engine_facts

_SYS_RESOURCE = 1 << 24
_ENGINES = ("dockerd", "containerd", "podman")
_ROWS = {
    "Max open files": "nofile",
    "Max processes": "nproc",
    "Max locked memory": "memlock",
    "Max stack size": "stack",
}
_ROW = re.compile(r"(?P<name>Max [a-z ]+?) {2,}\S+ +(?P<hard>[0-9]+|unlimited)\b")


@dataclasses.dataclass(frozen=True, slots=True)
class EngineLimits:
    """`may_raise`: as far as can be seen. `hard` are the engine's own hard limits by name, -1 for none; those that are
    not known lack."""

    may_raise: bool = True
    hard: Mapping[str, int] = dataclasses.field(default_factory=dict)


async def gather(info: EngineInfo, *, proc: pathlib.Path = pathlib.Path("/proc")) -> EngineLimits:
    """Of an engine that runs elsewhere, or that nothing is seen of, the usual is assumed: it may, unless it runs
    without root."""
    if info.rootless:
        return EngineLimits(may_raise=False)
    if info.limits is not None:
        return EngineLimits(info.limits.may_raise, info.limits.hard)
    if not engine_facts.on_this_machine(info, os.uname().release):
        return EngineLimits()
    return await asyncio.to_thread(look, proc)


def look(proc: pathlib.Path) -> EngineLimits:
    """The weakest of what is seen: what nobody on this machine can have, and what the engines' processes have."""
    may_raise = _has_right(proc / "1", "CapBnd")
    hard: dict[str, int] = {}
    for process in proc.glob("[0-9]*"):
        if _text(process / "comm").strip() not in _ENGINES:
            continue
        may_raise = may_raise and _has_right(process, "CapEff")
        for name, value in _limits(_text(process / "limits")).items():
            hard[name] = _lower(hard.get(name, -1), value)
    return EngineLimits(may_raise, hard)


def _has_right(process: pathlib.Path, which: str) -> bool:
    match = re.search(rf"^{which}:\s*([0-9a-f]+)$", _text(process / "status"), re.MULTILINE)
    return match is None or bool(int(match[1], 16) & _SYS_RESOURCE)


def _limits(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in text.splitlines():
        if (match := _ROW.match(line)) and match["name"] in _ROWS:
            found[_ROWS[match["name"]]] = -1 if match["hard"] == "unlimited" else int(match["hard"])
    return found


def _lower(one: int, other: int) -> int:
    """-1 is no limit."""
    known = [value for value in (one, other) if value != -1]
    return min(known, default=-1)


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # another user's process, or one that has just ended
