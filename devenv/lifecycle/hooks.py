"""Lifecycle commands: which are due, in which order, and what is left behind so that other tools know they ran.

Markers are those of the reference, byte for byte, but written after success: a failed command runs again at the next
`up`. They run through the engine, so they need neither the agent nor Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from devcontainer import lifecycle
from devcontainer.lifecycle import LifecycleCommand, Stage, Stamp
from devcontainer.merge import PROJECT, Hook
from devenv.engine.masking import Mask
from devenv.engine.port import ContainerSnapshot, Engine, Progress
from devenv.errors import DevenvError, HookFailed
from devenv.lifecycle import dotfiles, host_process
from devenv.lifecycle.process import ContainerProcess

DOTFILES = "dotfiles"
"""What the commands of a person's dotfiles are called beside the stages."""

_TAIL = 20  # lines of a failed command that are shown

_READ = (
    'cd "$HOME/.devcontainer" 2>/dev/null || exit 0; for name in "$@"; do '
    'if [ -f "$name" ]; then line=; read -r line <"$name"; printf "%s\\t%s\\n" "$name" "$line"; fi; done'
)
_WRITE = (
    'mkdir -p "$HOME/.devcontainer" && cd "$HOME/.devcontainer" || exit 1; while [ $# -gt 1 ]; do '
    'printf "%s\\n" "$2" >"$1.$$" && mv -f "$1.$$" "$1" || exit 1; shift 2; done'
)

Environment = Callable[[], Awaitable[Mapping[str, str]]]


def stamp_of(stage: Stage, container: ContainerSnapshot) -> str:
    """The time for which a stage counts as done; "" for one that runs each time."""
    marker = lifecycle.MARKERS.get(stage)
    if marker is None:
        return ""
    return container.created if marker.stamp is Stamp.CREATED else container.started_at


def due(
    hooks: Mapping[Stage, Sequence[Hook]],
    done: Mapping[str, str],
    container: ContainerSnapshot,
    digests: Mapping[str, str] | None = None,
) -> list[Stage]:
    """Stages in the container that have not succeeded for this container and this start, in order; and those whose
    commands are others than the ones that did. `digests` are those of the commands that succeeded."""
    found = []
    for stage in lifecycle.CONTAINER_STAGES:
        stamp = stamp_of(stage, container)
        ran = stamp and lifecycle.has_run(done.get(stage.value), stamp)
        if ran and not was_edited(stage, hooks, done, digests or {}, container):
            continue
        if stamp or hooks.get(stage):
            found.append(stage)
    return found


def digest(hooks: Sequence[Hook]) -> str:
    """Changes when any command of a stage does."""
    text = repr([(hook.origin, [(step.name, step.argv) for step in hook.command.steps]) for hook in hooks])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def was_edited(
    stage: Stage,
    hooks: Mapping[Stage, Sequence[Hook]],
    done: Mapping[str, str],
    digests: Mapping[str, str],
    container: ContainerSnapshot,
) -> bool:
    """Whether a stage has succeeded with other commands than it has now. Commands that were taken away are no edit."""
    stamp = stamp_of(stage, container)
    known = digests.get(stage.value)
    commands = hooks.get(stage, ())
    return bool(
        stamp
        and commands
        and known is not None
        and known != digest(commands)
        and lifecycle.has_run(done.get(stage.value), stamp)
    )


def progress_key(stage: str, name: str, origin: str = PROJECT) -> str:
    """What a command's progress is told under: a feature's has the feature's id behind a line end."""
    return f"hook:{stage}:{name}" + ("" if origin == PROJECT else f"\n{origin}")


async def read_markers(engine: Engine, container: ContainerSnapshot, user: str) -> dict[str, str]:
    """{stage: content} of the markers in the user's home."""
    names: dict[str, str] = {marker.file: stage.value for stage, marker in lifecycle.MARKERS.items()}
    names[dotfiles.MARKER] = DOTFILES
    result = await engine.exec_capture(container.id, ["/bin/sh", "-c", _READ, "sh", *names], user=user)
    found: dict[str, str] = {}
    for line in result.stdout.decode("utf-8", "replace").splitlines():
        name, tab, content = line.partition("\t")
        if tab and name in names:
            found[names[name]] = content
    return found


async def write_markers(engine: Engine, container: ContainerSnapshot, user: str, stages: Sequence[Stage]) -> bool:
    """False when the home cannot be written (a read-only root): then only our own record knows."""
    words: list[str] = []
    for stage in stages:
        if marker := lifecycle.MARKERS.get(stage):
            words += [marker.file, stamp_of(stage, container)]
    return not words or await mark(engine, container, user, words)


async def mark(engine: Engine, container: ContainerSnapshot, user: str, words: Sequence[str]) -> bool:
    """Writes markers: file, content, file, content, ..."""
    result = await engine.exec_capture(container.id, ["/bin/sh", "-c", _WRITE, "sh", *words], user=user)
    return result.exit_code == 0


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where commands run: container, user, working folder. `environment` is asked once, and only if something runs;
    `secrets` go over it, and never into what is told. `limit`: seconds for one command, 0 for none."""

    container: ContainerSnapshot
    user: str
    folder: str
    environment: Environment
    secrets: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    limit: float = 0.0


async def run_stages(
    engine: Engine,
    place: Place,
    stages: Sequence[Stage],
    hooks: Mapping[Stage, Sequence[Hook]],
    *,
    progress: Progress,
    succeeded: Callable[[Stage], None],
) -> None:
    """Runs what is due. `succeeded` is told after each stage. Raises `HookFailed`; later stages are left for next time.

    Cancelled, or past the limit: the command that runs is ended in the container first.
    """
    if not any(hooks.get(stage) for stage in stages):
        for stage in stages:
            succeeded(stage)
        return
    env = {**await place.environment(), **place.secrets}
    unwritten: list[Stage] = []
    try:
        for stage in stages:
            for hook in hooks.get(stage, ()):
                await _run(engine, place, stage.value, hook, env=env, progress=progress)
            unwritten.append(stage)
            succeeded(stage)
            if hooks.get(stage):
                await write_markers(engine, place.container, place.user, unwritten)
                unwritten.clear()
    finally:
        if unwritten:
            await write_markers(engine, place.container, place.user, unwritten)


async def run_one(engine: Engine, place: Place, name: str, command: LifecycleCommand, progress: Progress) -> None:
    """A command that belongs to no stage (dotfiles). Raises `HookFailed`."""
    env = {**await place.environment(), **place.secrets}
    await _run(engine, place, name, Hook(name, command), env=env, progress=progress)


async def _run(
    engine: Engine, place: Place, stage: str, hook: Hook, *, env: Mapping[str, str], progress: Progress
) -> None:
    masked = Mask(place.secrets.values())

    async def one(step: lifecycle.Step) -> tuple[int, list[str]]:
        key = progress_key(stage, step.name, hook.origin)
        tail = LineTail(lambda text, stream: progress.line(key, text, stream), masked)
        process = await ContainerProcess.start(engine, place.container.id, step.argv, place.user, env, place.folder)
        try:
            async with _patience(place.limit, stage, progress):
                while (piece := await process.read()) is not None:
                    tail.feed(piece[1], "stderr" if piece[0] == 2 else "stdout")
                tail.finish()
                code = await process.exit_code()
        except TimeoutError:
            await process.end()
            raise _too_long(stage, hook.origin, step, place.limit, list(tail.lines)) from None
        except BaseException:
            await process.end()
            raise
        finally:
            await process.close()
        return code, list(tail.lines)

    await run_command(stage, hook.origin, hook.command, one, progress)


_PATIENCE = {Stage.POST_START.value: 60.0, Stage.POST_ATTACH.value: 60.0}
_PATIENCE_OTHERS = 600.0  # seconds after which a person is told what a command that still runs may be


@contextlib.asynccontextmanager
async def _patience(limit: float, stage: str, progress: Progress) -> AsyncIterator[None]:
    """A limit for what happens inside (TimeoutError), and one sentence when it takes unusually long."""
    told = asyncio.get_running_loop().call_later(
        _PATIENCE.get(stage, _PATIENCE_OTHERS),
        progress.note,
        f"{stage} still runs; Ctrl-C ends it. What is to stay running belongs into `services` of devenv.yaml",
    )
    try:
        async with asyncio.timeout(limit or None):
            yield
    finally:
        told.cancel()


def _too_long(stage: str, origin: str, step: lifecycle.Step, limit: float, lines: list[str]) -> HookFailed:
    name = f" {step.name}" if step.name else ""
    return HookFailed(
        f"{stage}{name} took longer than {limit:g} s and was ended: {step.text}",
        "give it more time (--hook-timeout, container.hook-timeout), or let it end by itself",
        details=_details(stage, origin, step, 124, lines),
    )


def _details(stage: str, origin: str, step: lifecycle.Step, code: int, lines: list[str]) -> dict[str, object]:
    return {
        "hook": stage,
        "name": step.name,
        "origin": origin,
        "command": step.text,
        "exit_code": code,
        "lines": lines,
    }


async def run_command(
    stage: str,
    origin: str,
    command: LifecycleCommand,
    one: Callable[[lifecycle.Step], Awaitable[tuple[int, list[str]]]],
    progress: Progress,
) -> None:
    """All steps of a command at once; all are awaited, then the first failure is told."""

    async def step(each: lifecycle.Step) -> tuple[lifecycle.Step, int, list[str], DevenvError | None]:
        key = progress_key(stage, each.name, origin)
        progress.step(key, f"{stage}{f' {each.name}' if each.name else ''}: {each.text}")
        try:
            code, lines = await one(each)
        except DevenvError as error:
            progress.done(key, ok=False, detail=error.message)
            return each, -1, [error.message], error
        progress.done(key, ok=code == 0, detail="" if code == 0 else f"exit code {code}")
        return each, code, lines, None

    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(step(each)) for each in command.steps]
    for task in started:
        each, code, lines, error = task.result()
        if error is not None:
            raise error
        if code:
            raise HookFailed(
                f"{stage}{f' {each.name}' if each.name else ''} failed with exit code {code}: {each.text}",
                "correct it; `devenv up` runs it again",
                details=_details(stage, origin, each, code, lines),
            )


async def run_on_host(
    command: LifecycleCommand,
    *,
    folder: str,
    env: Mapping[str, str],
    umask: int,
    progress: Progress,
    limit: float = 0.0,
) -> None:
    """`initializeCommand`: as the client's user, in the project, with the client's environment."""

    async def one(step: lifecycle.Step) -> tuple[int, list[str]]:
        key = progress_key(Stage.INITIALIZE.value, step.name)
        tail = LineTail(lambda text, stream: progress.line(key, text, stream))
        try:
            async with _patience(limit, Stage.INITIALIZE.value, progress):
                code = await host_process.run(step.argv, folder=folder, env=env, umask=umask, take=tail.feed)
        except TimeoutError:
            raise _too_long(Stage.INITIALIZE.value, PROJECT, step, limit, list(tail.lines)) from None
        except OSError as error:
            return 127, [f"{step.argv[0]}: {os.strerror(error.errno or 0)}"]
        tail.finish()
        return code, list(tail.lines)

    await run_command(Stage.INITIALIZE.value, PROJECT, command, one, progress)


class LineTail:
    """Bytes in, whole lines out; keeps the last ones. A stream's partial line waits for its end (up to 64 KiB)."""

    def __init__(self, take: Callable[[str, str], None], mask: Mask | None = None) -> None:
        self.lines: deque[str] = deque(maxlen=_TAIL)
        self._take = take
        self._mask = mask or Mask(())
        self._partial: dict[str, bytes] = {}

    def feed(self, data: bytes, stream: str) -> None:
        *whole, rest = (self._partial.get(stream, b"") + data).split(b"\n")
        for line in whole:
            self._line(line, stream)
        if len(rest) > 65536:
            self._line(rest, stream)
            rest = b""
        self._partial[stream] = rest

    def finish(self) -> None:
        for stream, rest in self._partial.items():
            if rest:
                self._line(rest, stream)
        self._partial.clear()

    def _line(self, line: bytes, stream: str) -> None:
        text = self._mask(line.decode("utf-8", "replace").rstrip("\r"))
        self.lines.append(text)
        self._take(text, stream)
