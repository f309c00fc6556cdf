"""A run put under debugpy: the same program, folder and variables, with a debugger in front. Pure.

The adapter picks a free port on the container's loopback and writes it into a file of ours; that file, not an open
port, is the sign that a debugger may come.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import secrets
import shlex
from collections.abc import Sequence
from typing import Any

from devenv.debug import pass_through
from devenv.debug.versions import Interpreter
from devenv.errors import DebugError
from devenv.runs.spec import Program, ProgramKind, RunSpec, append_path

_PYTHON = re.compile(r"^(python|pypy)(\d+(\.\d+)?)?$")
_SHELL_SYNTAX = re.compile(r"[|&;<>()$`\\*?\[\]#~{}\n]")
_FLAGS_WITH_VALUE = ("-X", "-W")

# Console scripts of the field whose module is known; others are recognised by their first line.
CONSOLE_MODULES = {
    "pytest": "pytest",
    "py.test": "pytest",
    "torchrun": "torch.distributed.run",
    "jupyter": "jupyter",
    "tensorboard": "tensorboard.main",
    "uvicorn": "uvicorn",
    "flask": "flask",
    "streamlit": "streamlit",
    "accelerate": "accelerate.commands.accelerate_cli",
}


@dataclasses.dataclass(frozen=True, slots=True)
class DebugOptions:
    """How to start the debugger.

    `subprocess`: children join the same debugger; else they run as if there were none. `just_my_code` counts for
    clients that say nothing of it themselves.
    """

    wait: bool = True
    subprocess: bool = True
    just_my_code: bool | None = None


def endpoints_path(state_dir: str) -> str:
    """A new file name in the agent's state folder (0700): nobody else can have planted the file."""
    return posixpath.join(state_dir, f"debug-{secrets.token_hex(8)}.json")


def _split_python(argv: Sequence[str]) -> Program | None:
    """`python [flags] (script | -m module) args` taken apart; None when it is another form (-c, -, no target)."""
    python, *rest = argv
    flags: list[str] = []
    while rest:
        word = rest.pop(0)
        if word == "-m" and rest:
            return Program(ProgramKind.MODULE, rest[0], tuple(rest[1:]), python, tuple(flags))
        if word in _FLAGS_WITH_VALUE and rest:
            flags += [word, rest.pop(0)]
        elif word.startswith("-") and word not in ("-", "-c", "-m"):
            flags.append(word)
        elif not word.startswith("-"):
            return Program(ProgramKind.SCRIPT, word, tuple(rest), python, tuple(flags))
        else:
            return None
    return None


def python_program(program: Program, python: str | None) -> Program | None:
    """The program as something that a Python interpreter executes, or None when it is not known to be Python.

    `python` is the environment's interpreter, for console scripts such as pytest.
    """
    if program.kind is not ProgramKind.COMMAND:
        return program
    argv: Sequence[str] = program.argv
    if argv[:2] == ("/bin/sh", "-c") and len(argv) == 3:
        if _SHELL_SYNTAX.search(argv[2]):
            return None
        argv = shlex.split(argv[2])
    if not argv:
        return None
    name = posixpath.basename(argv[0])
    if _PYTHON.match(name):
        return _split_python(argv)
    module = CONSOLE_MODULES.get(name)
    if module and python:
        return Program(ProgramKind.MODULE, module, tuple(argv[1:]), python)
    return None


def not_python(program: Program) -> DebugError:
    shell_line = program.argv[2:3] if program.argv[:2] == ("/bin/sh", "-c") else ()
    named = repr(shell_line[0]) if shell_line else program.argv[0]  # what the person wrote, not our shell around it
    return DebugError(
        f"{named} is not a Python program, so debugpy cannot run it",
        "debug a script or a module: `script:` or `module:` in devenv.yaml, or devenv debug FILE.py",
        details={"argv": list(program.argv)},
    )


def debugger_words(debugpy: str, options: DebugOptions, *, safe_path: bool) -> list[str]:
    """What stands between an interpreter and a program's own words. `debugpy` is the package's folder."""
    # Started by path, debugpy takes its own folder off sys.path again, which a safe path has never had.
    start = ["-m", "debugpy"] if safe_path else [posixpath.join(debugpy, "debugpy")]
    # Children are debugged in any case, or a forked one that comes to a breakpoint would wait for nobody: those that
    # are not wanted are attached to in silence.
    switches = ["--listen", "127.0.0.1:0", "--configure-subProcess", "true"]
    return [*start, *switches, *(["--wait-for-client"] if options.wait else [])]


def debugger_env(interpreter: Interpreter) -> dict[str, str]:
    env = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    if interpreter.machine != "x86_64":
        # There is none for it, and pydevd says so on the program's stderr.
        env["PYDEVD_LOAD_NATIVE_LIB"] = "0"
    return env


def debug_meta(endpoints: str, options: DebugOptions) -> dict[str, Any]:
    """What the run's record keeps, so that a new supervisor finds the session again."""
    return {
        "endpoints": endpoints,
        "wait": options.wait,
        "subprocess": options.subprocess,
        "just_my_code": options.just_my_code,
    }


def debug_spec(
    spec: RunSpec,
    *,
    interpreter: Interpreter,
    debugpy: str,
    proxy: str,
    endpoints: str,
    options: DebugOptions,
) -> RunSpec:
    """`spec` under debugpy. `debugpy` and `proxy` are the container folders that hold the package and the pass-through
    in front of it, `endpoints` a file to be written.

    `spec.program` must be a Python program (see `python_program`); raises DebugError otherwise. debugpy is started by
    path, so that sys.path is the program's own; its folder comes last on PYTHONPATH, for code that imports debugpy.
    """
    program = python_program(spec.program, interpreter.executable)
    if program is None:
        raise not_python(spec.program)
    flags = list(program.flags)
    if interpreter.minor >= (3, 11) and not any("frozen_modules" in flag for flag in flags):
        flags.append("-Xfrozen_modules=off")  # else breakpoints in the standard library are missed, with four warnings
    start = debugger_words(debugpy, options, safe_path=bool(spec.env.get("PYTHONSAFEPATH") or {"-P", "-I"} & {*flags}))
    # Absolute, because debugpy puts the script's folder on sys.path as it is given, and the program may change folder.
    script = posixpath.join(spec.cwd, program.target)
    target = ["-m", program.target] if program.kind is ProgramKind.MODULE else [script]
    env = {**debugger_env(interpreter), **spec.env}
    env["PYTHONPATH"] = append_path(env.get("PYTHONPATH"), debugpy)
    env["DEBUGPY_ADAPTER_ENDPOINTS"] = pass_through.adapter_file(endpoints)
    env.pop("DEBUGPY_RUNNING", None)  # from a surrounding debug session it would make this one a no-op
    return dataclasses.replace(
        spec,
        kind="debug",
        program=program,
        argv=pass_through.wrap(
            program.python,
            proxy,
            endpoints,
            (program.python, *flags, *start, *target, *program.args),
            children=options.subprocess,
        ),
        env=env,
        meta={**spec.meta, "debug": debug_meta(endpoints, options)},
    )
