"""The control group that the container is: its memory, its CPU time, and whether the kernel killed something in it.

Both versions of the interface; inside a container either the group is mounted as the root, or (version 1 without its
own namespace) at the path that /proc/self/cgroup names.
"""

import os

_ROOT = "/sys/fs/cgroup"
_NO_LIMIT = 1 << 60  # version 1 writes "no limit" as a huge number


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _number(path: str) -> "int | None":
    text = _read(path)
    return int(text) if text.isdigit() else None


def _field(path: str, name: str) -> "int | None":
    for line in _read(path).splitlines():
        part = line.split()
        if len(part) == 2 and part[0] == name and part[1].isdigit():
            return int(part[1])
    return None


class Group:
    """Where the figures of our own group are."""

    def __init__(self, root: str = _ROOT, membership: str = "/proc/self/cgroup") -> None:
        self._root = root
        self._paths: "dict[str, str]" = {}
        for line in _read(membership).splitlines():
            part = line.split(":", 2)
            if len(part) == 3:
                for name in part[1].split(","):
                    self._paths[name] = part[2]
        self.unified = os.path.exists(os.path.join(root, "cgroup.controllers"))

    def _find(self, controller: str, name: str) -> str:
        base = self._root if self.unified else os.path.join(self._root, controller)
        path = self._paths.get("" if self.unified else controller, "/")
        deep = os.path.join(base, path.lstrip("/"), name)
        return deep if os.path.exists(deep) else os.path.join(base, name)

    def cpu_microseconds(self) -> "int | None":
        if self.unified:
            return _field(self._find("cpu", "cpu.stat"), "usage_usec")
        nanoseconds = _number(self._find("cpuacct", "cpuacct.usage"))
        return None if nanoseconds is None else nanoseconds // 1000

    def memory(self) -> "int | None":
        """Bytes in use without the page cache that the kernel would give back first, as `docker stats` counts."""
        if self.unified:
            used = _number(self._find("memory", "memory.current"))
            cache = _field(self._find("memory", "memory.stat"), "inactive_file")
        else:
            used = _number(self._find("memory", "memory.usage_in_bytes"))
            cache = _field(self._find("memory", "memory.stat"), "total_inactive_file")
        return None if used is None else max(0, used - (cache or 0))

    def memory_limit(self) -> "int | None":
        name = "memory.max" if self.unified else "memory.limit_in_bytes"
        limit = _number(self._find("memory", name))
        return None if limit is None or limit >= _NO_LIMIT else limit

    def cpus(self) -> "float | None":
        """The quota in processors; None when there is none."""
        if self.unified:
            part = _read(self._find("cpu", "cpu.max")).split()
            quota, period = part if len(part) == 2 else ("max", "")
        else:
            quota = _read(self._find("cpu", "cpu.cfs_quota_us"))
            period = _read(self._find("cpu", "cpu.cfs_period_us"))
        if quota.isdigit() and period.isdigit() and int(period):
            return int(quota) / float(period)
        return None

    def oom_kills(self) -> int:
        """Processes that the kernel killed in this group for lack of memory, since it exists."""
        name = "memory.events" if self.unified else "memory.oom_control"
        return _field(self._find("memory", name), "oom_kill") or 0
