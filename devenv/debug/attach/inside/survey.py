"""What processes are, as far as an attach cares. Looks only: nothing is stopped, nothing is changed."""

import json
import os
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KEPT = (b"LD_LIBRARY_PATH", b"PYTHONHOME")  # what an interpreter may need to start at all

# Runs on Python 2.7 as well.
_ABOUT = """
import json, os, platform, sys
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, ValueError, OSError):
    libc = ""
try:
    import ctypes
    ctypes = True
except ImportError:
    ctypes = False
print("\\n" + json.dumps({"executable": sys.executable, "version": list(sys.version_info[:3]), "ctypes": ctypes,
    "machine": platform.machine(), "libc": libc, "implementation": platform.python_implementation().lower(),
    "remote_exec": hasattr(sys, "remote_exec")}))
"""


def _read(path: str, most: int = 1 << 16) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError:
        return b""


def _status(pid: "int | str") -> "dict[str, str]":
    fields = {}
    for line in _read("/proc/%s/status" % pid).decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        fields[name] = value.strip()
    return fields


def started(pid: int) -> int:
    """When it began, in the kernel's ticks: with the pid this names one process. 0 when it is gone."""
    fields = _read("/proc/%d/stat" % pid).decode("utf-8", "replace").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def surroundings(pid: int) -> "dict[str, str]":
    """The variables without which its interpreter may not start."""
    kept = {}
    for entry in _read("/proc/%d/environ" % pid, 1 << 20).split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name in _KEPT:
            kept[os.fsdecode(name)] = os.fsdecode(value)
    return kept


def _may_open(pid: int) -> int:
    """0 when this user may read and write its memory, else the errno: the right that ptrace asks for, too."""
    try:
        os.close(os.open("/proc/%d/mem" % pid, os.O_RDWR))
    except OSError as error:
        return error.errno or 1
    return 0


def look(pid: int) -> "dict[str, Any] | None":
    """None when there is no such process."""
    status = _status(pid)
    if not status:
        return None
    try:
        exe = os.readlink("/proc/%d/exe" % pid)
    except OSError:
        exe = ""
    return {
        "pid": pid,
        "started": started(pid),
        "uid": int(status.get("Uid", "0").split()[0]),
        "state": status.get("State", "?")[:1],
        "tracer": int(status.get("TracerPid", "0") or 0),
        "name": status.get("Name", ""),
        "exe": exe,
        "gid": int(status.get("Gid", "0").split()[0]),
        "capabilities": int(status.get("CapPrm") or "0", 16),
        "open": _may_open(pid),
    }


def about(pid: int, exe: str) -> "dict[str, Any]":
    """What its interpreter says of itself, {} when it is none that can be started."""
    try:
        done = subprocess.run(
            [startable(pid, exe), "-E", "-S", "-c", _ABOUT],  # Python 2 has no -I
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(surroundings(pid), PATH=os.defpath),
            timeout=20,
        )
        said = json.loads(done.stdout.decode("utf-8", "replace").strip().splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
        return {}
    return said if isinstance(said, dict) else {}


def startable(pid: int, exe: str) -> str:
    """How its interpreter can be started: also one that was replaced while the process runs."""
    return "/proc/%d/exe" % pid if exe.endswith(" (deleted)") else exe


def survey(job: "dict[str, Any]") -> "dict[str, Any]":
    """What is known of the process `pid`, and of what this user may do here."""
    pid = int(job["pid"])
    process = look(pid)
    if process is not None and process["exe"]:
        process["about"] = about(pid, process["exe"])
        process["env"] = surroundings(pid)
    own = _status("self")
    yama = _read("/proc/sys/kernel/yama/ptrace_scope").strip()
    try:
        import ctypes

        has_ctypes = bool(ctypes)
    except ImportError:
        has_ctypes = False
    return {
        "process": process,
        "uid": os.getuid(),
        "capabilities": int(own.get("CapEff") or "0", 16),
        "yama": int(yama) if yama.isdigit() else -1,
        "ctypes": has_ctypes,
    }
