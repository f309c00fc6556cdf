"""A run whose interpreters are told, as they start, whether a debugger is wanted in them. Pure but for its own files.

The program itself is started as it always is. A folder ahead on PYTHONPATH holds a `sitecustomize` that does the rest
(and then calls the environment's own), so that it does not matter who starts a rank, and how.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import posixpath
import re
from collections.abc import Sequence
from typing import Any

from devenv.debug import pass_through
from devenv.debug.spec import DebugOptions, debug_meta, debugger_env, debugger_words, python_program
from devenv.debug.versions import Interpreter
from devenv.delivery.trees import named
from devenv.errors import DebugError, UsageError
from devenv.runs.spec import Program, ProgramKind, RunSpec

RANKS = "ranks"
POST_MORTEM = "post-mortem"
ALL = "all"
NONE = "none"
_MOST_RANKS = 256
_LAUNCHERS = frozenset(
    {
        "torchrun",
        "torch.distributed.run",
        "torch.distributed.launch",
        "deepspeed",
        "horovodrun",
        "accelerate.commands.launch",
    }
)
_NOT_READ = re.compile(r"^-[a-zA-Z]*[EIS]")  # flags without which neither PYTHONPATH nor sitecustomize is read


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """`ranks` None: every one."""

    mode: str
    ranks: tuple[int, ...] | None = None


def parse_ranks(text: str) -> tuple[int, ...] | None:
    """`all`, or `0,3` and `0-3`; None is every one. Raises UsageError."""
    if text == ALL:
        return None
    found: set[int] = set()
    for part in text.split(","):
        bounds = re.fullmatch(r"\s*(\d{1,6})(?:-(\d{1,6}))?\s*", part)
        if bounds is None or int(bounds[2] or bounds[1]) < int(bounds[1]):
            raise UsageError(
                f"--rank {text}: {part.strip() or 'an empty place'} is no rank", "say 0, or 0,3 or 0-3 or all"
            )
        found.update(range(int(bounds[1]), int(bounds[2] or bounds[1]) + 1))
        if len(found) > _MOST_RANKS:
            raise UsageError(f"--rank {text} names more than {_MOST_RANKS} ranks", "say fewer, or all")
    return tuple(sorted(found))


def launches_ranks(program: Program) -> bool:
    """Whether it is a launcher of the field: what a person wants to debug then is what it starts."""
    if program.argv[:2] == ("/bin/sh", "-c") and len(program.argv) == 3:
        words = [posixpath.basename(word) for word in program.argv[2].split()]
        return any(_launcher(words[at:]) for at in range(len(words)))
    python = python_program(program, None)
    if python is None:
        return _launcher([posixpath.basename(program.target), *program.args])
    return python.kind is ProgramKind.MODULE and _launcher([python.target, *python.args])


def _launcher(words: Sequence[str]) -> bool:
    if words[0] in ("accelerate", "accelerate.commands.accelerate_cli"):
        return list(words[1:2]) == ["launch"]
    return words[0] in _LAUNCHERS


def wanted(program: Program, ranks: str, post_mortem: bool) -> Wanted | None:
    """What was asked for, in the words of `DebugArgs`; None is the program itself, from its first line on."""
    asked = ranks not in ("", NONE)
    which = parse_ranks(ranks) if asked else None
    if post_mortem:
        return Wanted(POST_MORTEM, which)
    return Wanted(RANKS, which) if asked or (not ranks and launches_ranks(program)) else None


def ranks_text(mode: str, ranks: tuple[int, ...] | None) -> str:
    """The word of `DebugArgs` for a run that is started again."""
    if ranks is not None:
        return ",".join(map(str, ranks))
    return {RANKS: ALL, POST_MORTEM: ""}.get(mode, NONE)


def payload() -> tuple[pathlib.Path, str]:
    """Its folder on the host, and the name that it gets in the container."""
    return named(pathlib.Path(__file__).parent / "inside", "debug-entry-")


def entry_spec(
    spec: RunSpec,
    wanted: Wanted,
    *,
    interpreter: Interpreter,
    entry: str,
    debugpy: str,
    proxy: str,
    endpoints: str,
    door: str,
    options: DebugOptions,
) -> RunSpec:
    """`spec` with what is wanted in its environment. `entry`, `debugpy` and `proxy` are folders in the container,
    `endpoints` the beginning of names of files to be written, `door` where a person is told to attach.

    Raises DebugError for an interpreter that is told to read nothing of it.
    """
    python = python_program(spec.program, None)
    for flag in python.flags if python else ():
        if _NOT_READ.match(flag):
            raise DebugError(
                f"Python does not read its environment with {flag}, so no debugger comes into it that way",
                f"start it without {flag}, or attach to the process: devenv debug --attach PID",
            )
    adapter = pass_through.adapter_file("{endpoints}")
    front = pass_through.wrap("", proxy, "{endpoints}", (), children=options.subprocess)
    serve = pass_through.serve("", proxy, adapter, "{endpoints}", "{pid}", children=options.subprocess)
    plan: dict[str, Any] = {
        "mode": wanted.mode,
        "first": True,
        "ranks": None if wanted.ranks is None else list(wanted.ranks),
        "python": list(interpreter.minor),
        "endpoints": endpoints,
        "debugpy": debugpy,
        "front": list(front[1:]),
        "serve": list(serve[1:]),
        "debugger": debugger_words(debugpy, options, safe_path=bool(spec.env.get("PYTHONSAFEPATH"))),
        "env": debugger_env(interpreter),
        "door": door,
    }
    env = dict(spec.env)
    behind = env.get("PYTHONPATH")
    env["PYTHONPATH"] = f"{entry}:{behind}" if behind else entry
    env["DEVENV_ENTRY"] = json.dumps(plan, separators=(",", ":"))
    env.pop("DEBUGPY_RUNNING", None)
    meta = {**debug_meta(endpoints, options), "entry": {"mode": wanted.mode, "ranks": plan["ranks"]}}
    return dataclasses.replace(spec, kind="debug", env=env, meta={**spec.meta, "debug": meta})
