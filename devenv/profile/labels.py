"""What a process of a training is, in a word or two: a rank, a data loader's worker, the launcher. Pure.

Read from the variables that launchers set and from where its main thread began.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from devenv.profile.dump import Thread
from devenv.profile.frames import clean
from devenv.profile.reach import Process

_RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")

# (function, end of the file's name) among the frames of a main thread, most telling first.
_ROLES = (
    ("_worker_loop", "torch/utils/data/_utils/worker.py", "DataLoader worker"),
    ("_process_worker", "concurrent/futures/process.py", "executor worker"),
    ("worker", "multiprocessing/pool.py", "pool worker"),
    ("main", "multiprocessing/resource_tracker.py", "resource tracker"),
    ("main", "multiprocessing/forkserver.py", "fork server"),
    ("launch_agent", "torch/distributed/launcher/api.py", "torchrun"),
    ("BaseProcess._bootstrap", "multiprocessing/process.py", "child process"),
    ("_bootstrap", "multiprocessing/process.py", "child process"),
)


# What multiprocessing starts an interpreter with.
_STARTED = (
    ("from multiprocessing.spawn ", "child process"),
    ("from multiprocessing.resource_tracker ", "resource tracker"),
    ("from multiprocessing.forkserver ", "fork server"),
)


def rank(process: Process) -> str:
    """Its rank among all, "" where it has none."""
    found = next((process.env[name] for name in _RANKS if process.env.get(name)), "")
    return found if found.isdigit() else ""


def role(threads: Sequence[Thread]) -> str:
    """What its main thread was started for; "" for a program of its own."""
    main = next((thread for thread in threads if thread.main), None)
    if main is None:
        return ""
    for name, file, what in _ROLES:
        if any(frame.name == name and frame.file.endswith(file) for frame in main.frames):
            return what
    return ""


def program(process: Process) -> str:
    """The script, module or program that a process runs."""
    return script_of(process.argv or (process.name,), python=process.python)


def script_of(argv: Sequence[str], *, python: bool = True) -> str:
    """The script, module or program that a command line starts."""
    name = posixpath.basename(argv[0]) if argv else ""
    if not (name.startswith("python") or python) or len(argv) == 1:
        return clean(name)
    rest = list(argv[1:])
    while rest:
        word = rest.pop(0)
        if word == "-m":
            return clean(rest[0]) if rest else clean(name)
        if word == "-c":
            code = " ".join(rest)
            return next((what for begin, what in _STARTED if code.startswith(begin)), f"{clean(name)} -c")
        if word in ("-X", "-W"):
            rest = rest[1:]
        elif not word.startswith("-"):
            return clean(posixpath.basename(word))
    return clean(name)


def label(process: Process, threads: Sequence[Thread]) -> str:
    number, what = rank(process), role(threads)
    if what == "torchrun" or (number and not what):
        return what or f"rank {number}"
    if number:
        return f"{what} of rank {number}"
    return what or program(process)
