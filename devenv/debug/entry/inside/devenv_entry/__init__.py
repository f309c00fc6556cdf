"""RUNS IN THE CONTAINER, in the program's own interpreters as they start: standard library only, Python 3.6+.

What is wanted stands in the variable DEVENV_ENTRY (see `devenv.debug.entry.plan`). A process that is a rank is started
again under the debugger, in the same process; or its uncaught exceptions wait for one. All others go their way, and
what a rank starts knows nothing of this.
"""

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VARIABLE = "DEVENV_ENTRY"
_RANKS = (
    ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),  # torchrun, accelerate, deepspeed
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"),
)


def enter(said: str) -> None:
    plan = json.loads(said)
    place = rank_of(os.environ)
    if plan["mode"] == "post-mortem":
        _for_failures(plan, place)
    elif place is not None:
        _for_ranks(plan, place)


def rank_of(env: "Any") -> "tuple[int, int] | None":
    """(rank, how many there are on this machine; 0 when unknown) of a process that a launcher started."""
    for names in _RANKS:
        rank, local, count = (env.get(name, "") for name in names)
        if rank.isdigit() and local.isdigit():
            return int(rank), int(count) if count.isdigit() else 0
    if "ACCELERATE_MIXED_PRECISION" in env:  # accelerate with a single process gives no rank
        return 0, 1
    return None


def _for_ranks(plan: "dict[str, Any]", place: "tuple[int, int]") -> None:
    rank, count = place
    leave(plan)
    wanted = plan["ranks"] is None or rank in plan["ranks"]
    words = [] if not wanted else _again(plan, rank)
    why = "" if words or not wanted else "it was not started as a script or module"
    if words and list(sys.version_info[:2]) != plan["python"]:
        words, why = [], "its Python is %d.%d, the debugger's %d.%d" % (*sys.version_info[:2], *plan["python"])
    tell(plan, {"rank": rank, "count": count, "debugged": bool(words), "why": why})
    if why:
        sys.stderr.write("devenv: rank %d runs without the debugger: %s\n" % (rank, why))
    if words:
        os.environ.update(plan["env"])
        os.environ["PYTHONPATH"] = _joined(os.environ.get("PYTHONPATH"), plan["debugpy"])
        os.environ["DEBUGPY_ADAPTER_ENDPOINTS"] = words[words.index("--adapter") + 1]
        os.execv(words[0], words)


def _for_failures(plan: "dict[str, Any]", place: "tuple[int, int] | None") -> None:
    first = plan.pop("first", False)
    if place is not None:
        leave(plan)
    elif first:
        os.environ[VARIABLE] = json.dumps(plan)  # it may be a launcher, or start one
    else:
        return  # a helper of the program's: its parent looks after what becomes of it
    if plan["ranks"] is None or (place is not None and place[0] in plan["ranks"]):
        from . import post_mortem

        post_mortem.prepare(plan, place)


def leave(plan: "dict[str, Any]") -> None:
    """What this process starts is not concerned."""
    os.environ.pop(VARIABLE, None)
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    kept = [part for part in os.environ.get("PYTHONPATH", "").split(":") if part and part != ours]
    if kept:
        os.environ["PYTHONPATH"] = ":".join(kept)
    else:
        os.environ.pop("PYTHONPATH", None)


def tell(plan: "dict[str, Any]", said: "dict[str, Any]") -> None:
    """One line for the host: who is here."""
    line = json.dumps(dict(said, pid=os.getpid())) + "\n"
    number = os.open(plan["endpoints"] + ".members", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(number, line.encode("ascii"))  # in one piece: others append, too
    finally:
        os.close(number)


def endpoints(plan: "dict[str, Any]", rank: "int | None") -> str:
    return str(plan["endpoints"]) + ("" if rank is None else ".rank-%d" % rank)


def command() -> "list[str]":
    """How this interpreter was started. `sys.argv` is not there yet."""
    with open("/proc/self/cmdline", "rb") as file:
        return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]


def _again(plan: "dict[str, Any]", rank: int) -> "list[str]":
    """The words that start this process again with a debugger in it; [] when it cannot be."""
    flags, target = taken_apart(command())
    if not target:
        return []
    if sys.version_info >= (3, 11) and not any("frozen_modules" in flag for flag in flags):
        flags.append("-Xfrozen_modules=off")
    where = endpoints(plan, rank)
    front = [word.replace("{endpoints}", where) for word in plan["front"]]
    return [sys.executable, *front, sys.executable, *flags, *plan["debugger"], *target]


def taken_apart(words: "list[str]") -> "tuple[list[str], list[str]]":
    """(interpreter flags, what it runs with its arguments); nothing of the second for a form that has no file."""
    flags = []  # type: list[str]
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if word == "-m" and rest:
            return flags, ["-m", *rest]
        if word in ("-X", "-W") and rest:
            flags += [word, rest.pop(0)]
        elif word in ("-", "-c", "-m"):
            return flags, []
        elif word.startswith("-"):
            flags.append(word)
        else:
            # debugpy puts the script's folder on sys.path as it is given, and the program may change folder.
            return flags, [os.path.abspath(word), *rest]
    return flags, []


def _joined(value: "str | None", entry: str) -> str:
    return value + ":" + entry if value else entry
