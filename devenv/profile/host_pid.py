"""A process id as the host counts (nvidia-smi, htop) as the container's own."""

from __future__ import annotations


def container_pid(pid: int, container: str, proc: str = "/proc") -> int | None:
    """The id in the container of the host's process `pid`; None when it is none of this container, or not on this host.

    `container` is the container's full id, which its processes' cgroup names.
    """
    try:
        with open(f"{proc}/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            if container not in file.read():
                return None
        with open(f"{proc}/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("NSpid:"):
                    numbers = line.split()[1:]
                    return int(numbers[-1]) if len(numbers) > 1 else None
    except (OSError, ValueError):
        pass
    return None
