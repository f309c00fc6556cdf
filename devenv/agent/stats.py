"""Figures of the container as a whole, for the header of the terminal UI."""

import os
import time

from .cgroup import Group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _memory_of_machine() -> "tuple[int, int]":
    """(used, total) in bytes, from /proc/meminfo."""
    fields = {}
    with open("/proc/meminfo") as file:
        for line in file:
            part = line.split()
            fields[part[0]] = int(part[1]) * 1024
    total = fields.get("MemTotal:", 0)
    return total - fields.get("MemAvailable:", 0), total


def _cpu_of_machine() -> int:
    """Busy microseconds of all processors since the machine started."""
    with open("/proc/stat") as file:
        ticks = [int(part) for part in file.readline().split()[1:]]
    return (sum(ticks[:8]) - sum(ticks[3:5])) * 1000000 // os.sysconf("SC_CLK_TCK")


def read(group: Group) -> "dict[str, Any]":
    """`stats` of the protocol. `cpu_usec` only grows: a reader takes the difference over `time` (seconds)."""
    cpu = group.cpu_microseconds()
    memory = group.memory()
    allowed = float(len(os.sched_getaffinity(0)))
    quota = group.cpus()
    return {
        "cpu_usec": _cpu_of_machine() if cpu is None else cpu,
        "memory": _memory_of_machine()[0] if memory is None else memory,
        "memory_limit": group.memory_limit(),
        "cpus": allowed if quota is None else min(allowed, quota),
        "oom_kills": group.oom_kills(),
        "time": time.monotonic(),
    }
