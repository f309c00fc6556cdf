"""What the processes of a run are, for whoever wants to look into them: a debugger, a profiler.

Only what /proc says: nothing here touches a process. A process that goes away meanwhile is left out.
"""

import os

from . import descendants, launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ARGV = 4096  # bytes of a command line
_RANKS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")


def listed(params: "dict[str, Any]", record: "dict[str, Any] | None") -> "dict[str, Any]":
    """`processes` of the protocol: of `record`'s run, those named by `pids` (with `below`: and what they started), or
    those whose command line begins with `program`.

    `attach` is 0 where this user may read the process's memory, else the errno of the attempt; `inside` is false for a
    process of another container (a shared pid namespace shows those).
    """
    if record is not None:
        pids = descendants.below(int(record.get("keeper_pid") or 0)) if record.get("subreaper") else []
        pids = pids or descendants.of_run(str(record["id"]))
    elif params.get("program"):
        pids = [pid for pid in descendants.pids() if _program(pid) == launch.to_bytes(str(params["program"]))]
    else:
        pids = [int(pid) for pid in params.get("pids") or ()]
        if params.get("below"):
            for pid in list(pids):
                pids += [child for child in descendants.below(pid) if child not in pids]
    own = _groups("self")
    found = [_look(pid, own) for pid in sorted(pids)]
    return {
        "processes": [item for item in found if item is not None],
        "yama": _yama(),
        "uid": os.getuid(),
        "machine": os.uname()[4],
    }


def _yama() -> int:
    """Who may look into processes: 0 their owner, 1 their parents, 2 root, 3 nobody; -1 when the kernel has no Yama."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as file:
            return int(file.read())
    except (OSError, ValueError):
        return -1


def _groups(pid: "int | str") -> "dict[str, str]":
    try:
        with open("/proc/%s/cgroup" % pid) as file:
            parts = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return {}
    return {part[1]: part[2] for part in parts if len(part) == 3}


def _inside(pid: int, own: "dict[str, str]") -> bool:
    """Seen from a cgroup namespace, what lies outside begins with `/..`; without one, our own path is compared."""
    groups = _groups(pid)
    for key in ("", "pids", "memory"):
        if key in own and key in groups:
            ours, theirs = own[key].rstrip("/"), groups[key].rstrip("/")
            if theirs.startswith("/.."):
                return False
            return not ours or theirs == ours or theirs.startswith(ours + "/")
    return True


def _read(pid: int, name: str, limit: int) -> bytes:
    with open("/proc/%d/%s" % (pid, name), "rb") as file:
        return file.read(limit)


def _program(pid: int) -> bytes:
    try:
        return _read(pid, "cmdline", _ARGV).partition(b"\0")[0]
    except OSError:
        return b""


def _look(pid: int, own: "dict[str, str]") -> "dict[str, Any] | None":
    try:
        status = _read(pid, "status", 8192).decode("utf-8", "replace")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        argv = [launch.to_text(word) for word in _read(pid, "cmdline", _ARGV).split(b"\0")[:-1]]
        item = {
            "pid": pid,
            "ppid": int(fields["PPid"]),
            "uid": int(fields["Uid"].split()[1]),
            "gid": int(fields["Gid"].split()[1]),
            "name": fields["Name"],
            "state": fields["State"][:1],
            "threads": int(fields["Threads"]),
            "argv": argv,
            "exe": "",
            "python": os.path.basename(argv[0] if argv else "").startswith("python"),
            "env": {},
            "attach": _attach(pid),
            "inside": _inside(pid, own),
        }
    except (OSError, KeyError, ValueError, IndexError):
        return None
    try:
        item["exe"] = os.readlink("/proc/%d/exe" % pid)
        item["python"] = _is_python(pid, str(item["exe"]))
        pairs = [word.partition(b"=") for word in _read(pid, "environ", 1 << 20).split(b"\0")]
        named = {launch.to_text(name): launch.to_text(value) for name, _, value in pairs}
        item["env"] = {name: named[name] for name in _RANKS if name in named}
    except OSError:
        pass  # another user's
    return item


def _attach(pid: int) -> int:
    """0, or why not: opening a process's memory needs exactly the right that a debugger needs."""
    try:
        os.close(os.open("/proc/%d/mem" % pid, os.O_RDONLY))
        return 0
    except OSError as error:
        return error.errno or -1


def _is_python(pid: int, exe: str) -> bool:
    if os.path.basename(exe).startswith(("python", "pypy")):
        return True
    with open("/proc/%d/maps" % pid, "rb") as file:
        for line in file:
            name = line.rstrip().rpartition(b"/")[2]
            if name.startswith(b"libpython"):
                return True
    return False
