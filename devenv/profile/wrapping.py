"""A run under a profiler that lives in its interpreter. Pure."""

from __future__ import annotations

import dataclasses
import posixpath

from devenv.debug.spec import python_program
from devenv.delivery.interpreter import Interpreter
from devenv.errors import UsageError
from devenv.runs.spec import ProgramKind, RunSpec

TOOLS = {"memory": "memray", "trace": "viztracer", "gpu": ""}
"""What each kind brings along; torch.profiler comes with torch."""


def refuse_running(kind: str) -> UsageError:
    """Of these, none can join a program that runs already."""
    names = {"memory": "memray", "trace": "viztracer", "gpu": "torch.profiler"}
    return UsageError(
        f"{names[kind]} cannot join a program that runs: it records from the start",
        f"start it so: devenv profile --{kind} SCRIPT; `devenv profile --cpu` joins whatever runs",
    )


def wrapped(
    spec: RunSpec, interpreter: Interpreter, kind: str, *, recorder: str, tools: str, folder: str, seconds: float
) -> RunSpec:
    """`spec` under the recorder. `recorder` is its file in the container, `tools` the tool's folder there, `folder` a
    folder to be made for the results. Raises UsageError for what is no Python program."""
    program = python_program(spec.program, interpreter.executable)
    if program is None:
        raise UsageError(
            f"{spec.program.argv[0]} is not a Python program, so --{kind} cannot record it",
            "give a script, or `-m MODULE`; `devenv profile --cpu` records the Python processes of any run",
        )
    script = posixpath.join(spec.cwd, program.target)
    target = ["-m", program.target] if program.kind is ProgramKind.MODULE else [script]
    words = [recorder, kind, tools or "-", folder, f"{seconds:g}", *target, *program.args]
    what = {
        "kind": kind,
        "python": program.python,
        "recorder": recorder,
        "tools": tools or "-",
        "folder": folder,
        "seconds": seconds,
    }
    argv = (program.python, *program.flags, *words)
    return dataclasses.replace(spec, program=program, argv=argv, meta={**spec.meta, "profile": what})
