"""What a person asked to run, made definite: a run configuration's name, a script, `-m module` or a command.

The container is asked whether a path exists (one request), because the project need not be on this machine's disk;
the host's copy serves only to name near matches. Nothing is started here.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import posixpath
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from devenv.errors import NoPython, NotFound, UsageError
from devenv.runs.spec import Probed, Program, ProgramKind, RunSpec, compose_env

if TYPE_CHECKING:
    from devenv.api.context import ClientContext
    from devenv.config import DevenvConfig, RunConfig
    from devenv.link.port import Link, WindowSize
    from devenv.runs.workspace import WorkspacePaths

PYTHON_SUFFIXES = (".py", ".pyw", ".pyc", ".pyz")
SHELL_SUFFIXES = (".sh", ".bash")
_NEAR_FOLDERS = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__", "site-packages", "build", "dist"})
_NEAR_LIMIT = 4000  # files looked at for near matches; a typing error must not scan a data set


class ContainerFiles(Protocol):
    """What exists in the container, for the link's user. Calls may overlap; a missing path is None, not an error."""

    async def stat(self, paths: Sequence[str]) -> Mapping[str, Mapping[str, Any] | None]: ...
    async def which(self, name: str, path: str, cwd: str) -> str | None: ...


class LinkFiles:
    """`ContainerFiles` over a link: one request each."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def stat(self, paths: Sequence[str]) -> Mapping[str, Mapping[str, Any] | None]:
        found: Mapping[str, Mapping[str, Any] | None] = await self._link.request("stat", paths=list(paths))
        return found

    async def which(self, name: str, path: str, cwd: str) -> str | None:
        found = await self._link.request("which", names=[name], path=path, cwd=cwd)
        value = found.get(name)
        return value if isinstance(value, str) else None


def list_scripts(root: str) -> list[str]:
    """Python scripts of a project on the host, relative, for near matches and completion; [] when it is not there."""
    scripts: list[str] = []
    seen = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NEAR_FOLDERS and not name.startswith("."))
        seen += len(files)
        if seen > _NEAR_LIMIT:
            break
        relative = os.path.relpath(folder, root)
        scripts += [
            posixpath.normpath(posixpath.join(relative, name)) for name in files if name.endswith(PYTHON_SUFFIXES)
        ]
    return scripts


def top_scripts(root: str) -> list[str]:
    """Python scripts that lie directly in the project's root, sorted; one look at one folder."""
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if entry.name.endswith(PYTHON_SUFFIXES) and entry.is_file())
    except OSError:
        return []


def near_matches(target: str, names: Sequence[str], scripts: Sequence[str]) -> list[str]:
    """At most three names that a person may have meant, best first: whole paths, then base names."""
    found = difflib.get_close_matches(target, [*names, *scripts], n=3, cutoff=0.6)
    by_base = {posixpath.basename(script): script for script in reversed(scripts)}
    for base in difflib.get_close_matches(posixpath.basename(target), list(by_base), n=3, cutoff=0.7):
        if by_base[base] not in found:
            found.append(by_base[base])
    return found[:3]


def not_found(target: str, config: DevenvConfig, workspace: WorkspacePaths) -> NotFound:
    near = near_matches(target, sorted(config.runs), list_scripts(workspace.host))
    if near:
        hint = "did you mean " + " or ".join(near) + "?"
    elif config.runs:
        hint = "run configurations in devenv.yaml: " + ", ".join(sorted(config.runs))
    else:
        hint = "give a script of the project, `-m MODULE` or a program that is in the container"
    return NotFound(
        f"nothing to run is called {target!r}: no run configuration, no file of the project, no program there",
        hint,
        details={"target": target, "near": near},
    )


def python_for(wanted: str | None, probed: Probed, workspace: WorkspacePaths) -> str:
    """The interpreter of a run: the configured one (with a slash: relative to the project), else the probed one."""
    if wanted:
        if "/" in wanted and not wanted.startswith("/"):
            return posixpath.normpath(posixpath.join(workspace.container, wanted))
        return wanted
    if probed.python is None:
        raise NoPython(
            "the image has no usable Python, and a script or module needs one",
            "install python3 (3.6 or later) in the image, or name an interpreter with `python:` in devenv.yaml;"
            " commands still run: devenv run -- COMMAND",
        )
    return probed.python


def _candidates(target: str, cwd: str, client_cwd: str, workspace: WorkspacePaths) -> list[str]:
    """Container paths that `target` may stand for, best first."""
    if target.startswith("/"):
        mapped = workspace.to_container(target)
        paths = [mapped, target] if mapped else [target]
    else:
        paths = [posixpath.join(cwd, target)]
        on_host = workspace.to_container(posixpath.join(client_cwd, target))
        if on_host:
            paths.insert(0, on_host)
        paths.append(posixpath.join(workspace.container, target))
    return list(dict.fromkeys(posixpath.normpath(path) for path in paths))


def _as_seen_from(path: str, cwd: str) -> str:
    """A script below the working folder is named relative to it, as a person would type it."""
    prefix = cwd.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else path


async def _script(
    path: str, mode: int, cwd: str, args: tuple[str, ...], python: str | None, probed: Probed, workspace: WorkspacePaths
) -> Program:
    """A file that exists: a Python script, a shell script, or a program to execute."""
    name = posixpath.basename(path)
    if name.endswith(".ipynb"):
        raise UsageError(
            f"{name} is a notebook", "start the Jupyter service and open it there: devenv services start jupyter"
        )
    is_python = name.endswith(PYTHON_SUFFIXES)
    if not is_python and python is None:
        if mode & 0o111:
            return Program(ProgramKind.COMMAND, path, args)
        if name.endswith(SHELL_SUFFIXES):
            return Program(ProgramKind.COMMAND, "sh", (path, *args))
    return Program(ProgramKind.SCRIPT, _as_seen_from(path, cwd), args, python_for(python, probed, workspace))


def command_argv(command: str | Sequence[str]) -> tuple[str, ...]:
    """A string is a line for the shell, a list is executed as it is."""
    return ("/bin/sh", "-c", command) if isinstance(command, str) else tuple(command)


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    name: str
    program: Program
    cwd: str
    env: Mapping[str, str]


async def _from_config(
    name: str,
    run: RunConfig,
    args: tuple[str, ...],
    probed: Probed,
    workspace: WorkspacePaths,
    files: ContainerFiles,
) -> _Found:
    cwd = posixpath.normpath(posixpath.join(workspace.container, run.cwd or "."))
    args = (*run.args, *args)
    if run.module:
        program = Program(ProgramKind.MODULE, run.module, args, python_for(run.python, probed, workspace))
    elif run.script:
        paths = _candidates(run.script, workspace.container, workspace.host, workspace)
        paths.append(posixpath.normpath(posixpath.join(cwd, run.script)))
        found = await files.stat(paths)
        path = next((p for p in paths if found.get(p)), None)
        if path is None:
            near = near_matches(run.script, [], list_scripts(workspace.host))
            raise NotFound(
                f"run configuration {name!r}: its script {run.script} does not exist in {workspace.container}",
                f"did you mean {' or '.join(near)}?" if near else "correct `script:` in devenv.yaml",
                details={"target": run.script, "near": near},
            )
        program = Program(ProgramKind.SCRIPT, _as_seen_from(path, cwd), args, python_for(run.python, probed, workspace))
    else:
        command: str | Sequence[str] = run.command or []
        if isinstance(command, str) and args:
            command = command + " " + shlex.join(args)
            args = ()
        first, *rest = command_argv(command)
        program = Program(ProgramKind.COMMAND, first, (*rest, *args))
    return _Found(name, program, cwd, run.env)


async def _find(
    config: DevenvConfig,
    target: str,
    args: tuple[str, ...],
    cwd: str,
    client_cwd: str,
    probed: Probed,
    workspace: WorkspacePaths,
    files: ContainerFiles,
) -> _Found:
    if target in config.runs:
        return await _from_config(target, config.runs[target], args, probed, workspace, files)
    if target == "-m":
        if not args:
            raise UsageError("-m needs a module", "for example: devenv run -m package.train --epochs 3")
        program = Program(ProgramKind.MODULE, args[0], args[1:], python_for(None, probed, workspace))
        return _Found(args[0], program, cwd, {})
    paths = _candidates(target, cwd, client_cwd, workspace)
    found = await files.stat(paths)
    for path in paths:
        entry = found.get(path)
        if entry is None:
            continue
        if entry.get("type") == "file":
            program = await _script(path, int(entry.get("mode", 0)), cwd, args, None, probed, workspace)
            return _Found(workspace.relative(path) or path, program, cwd, {})
        inside = posixpath.join(path, "__main__.py")
        if (await files.stat([inside])).get(inside):
            program = Program(ProgramKind.SCRIPT, _as_seen_from(path, cwd), args, python_for(None, probed, workspace))
            return _Found(workspace.relative(path) or path, program, cwd, {})
    looks_like_a_file = target.endswith((*PYTHON_SUFFIXES, *SHELL_SUFFIXES)) or "/" in target
    if not looks_like_a_file and await files.which(target, probed.env.get("PATH", ""), cwd):
        return _Found(target, Program(ProgramKind.COMMAND, target, args), cwd, {})
    raise not_found(target, config, workspace)


async def resolve_run(
    config: DevenvConfig,
    target: str,
    args: Sequence[str],
    *,
    workspace: WorkspacePaths,
    files: ContainerFiles,
    probed: Probed,
    ctx: ClientContext,
    remote_env: Mapping[str, str | None] | None = None,
    tty: WindowSize | None = None,
    kind: str = "run",
) -> RunSpec:
    """The complete run that `devenv run TARGET ARGS` means.

    A run configuration's name comes before a file of that name, a file before a program on the container's PATH. A
    relative path is looked up from the client's folder, then from the project's root. `tty` is the client's window for
    a run with a terminal, None for pipes.

    Raises NotFound (with near matches), NoPython, UsageError; LinkError when the container does not answer.
    """
    cwd = workspace.working_folder(ctx.cwd)
    found = await _find(config, target, tuple(args), cwd, ctx.cwd, probed, workspace, files)
    return RunSpec(
        name=found.name,
        kind=kind,
        program=found.program,
        argv=found.program.argv,
        env=compose_env(probed.env, remote_env or {}, found.env, terminal=None if tty is None else ctx.env),
        cwd=found.cwd,
        tty=tty,
        umask=ctx.umask,
        meta={"target": target, "args": list(args), "client_cwd": ctx.cwd},
    )
