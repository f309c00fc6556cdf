"""Lifecycle commands: which are due, in which order, and what is left behind so that other tools know they ran.

Markers are those of the reference, byte for byte, but written after success: a failed command runs again at the next
`up`. They run through the engine, so they need neither the agent nor Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

from devcontainer import lifecycle
from devcontainer.lifecycle import LifecycleCommand, Stage, Stamp
from devcontainer.merge import Hook
from devenv.engine.exec_exit import exit_of
from devenv.engine.port import ContainerSnapshot, Engine, Progress
from devenv.errors import DevenvError, HookFailed

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


def due(hooks: Mapping[Stage, Sequence[Hook]], done: Mapping[str, str], container: ContainerSnapshot) -> list[Stage]:
    """Stages in the container that have not succeeded for this container and this start, in order."""
    found = []
    for stage in lifecycle.CONTAINER_STAGES:
        stamp = stamp_of(stage, container)
        if stamp and lifecycle.has_run(done.get(stage.value), stamp):
            continue
        if stamp or hooks.get(stage):
            found.append(stage)
    return found


async def read_markers(engine: Engine, container: ContainerSnapshot, user: str) -> dict[str, str]:
    """{stage: content} of the markers in the user's home."""
    names = {marker.file: stage for stage, marker in lifecycle.MARKERS.items()}
    result = await engine.exec_capture(container.id, ["/bin/sh", "-c", _READ, "sh", *names], user=user)
    found: dict[str, str] = {}
    for line in result.stdout.decode("utf-8", "replace").splitlines():
        name, tab, content = line.partition("\t")
        if tab and name in names:
            found[names[name].value] = content
    return found


async def write_markers(engine: Engine, container: ContainerSnapshot, user: str, stages: Sequence[Stage]) -> bool:
    """False when the home cannot be written (a read-only root): then only our own record knows."""
    words: list[str] = []
    for stage in stages:
        if marker := lifecycle.MARKERS.get(stage):
            words += [marker.file, stamp_of(stage, container)]
    if not words:
        return True
    result = await engine.exec_capture(container.id, ["/bin/sh", "-c", _WRITE, "sh", *words], user=user)
    return result.exit_code == 0


async def run_stages(
    engine: Engine,
    container: ContainerSnapshot,
    stages: Sequence[Stage],
    hooks: Mapping[Stage, Sequence[Hook]],
    *,
    user: str,
    folder: str,
    environment: Environment,
    progress: Progress,
    succeeded: Callable[[Stage], None],
) -> None:
    """Runs what is due. `succeeded` is told after each stage. Raises `HookFailed`; later stages are left for next time.

    `environment` is asked once, and only if something runs.
    """
    if not any(hooks.get(stage) for stage in stages):
        for stage in stages:
            succeeded(stage)
        return
    env = await environment()
    unwritten: list[Stage] = []
    try:
        for stage in stages:
            for hook in hooks.get(stage, ()):
                await _run(engine, container, stage, hook, user=user, folder=folder, env=env, progress=progress)
            unwritten.append(stage)
            succeeded(stage)
            if hooks.get(stage):
                await write_markers(engine, container, user, unwritten)
                unwritten.clear()
    finally:
        if unwritten:
            await write_markers(engine, container, user, unwritten)


async def _run(
    engine: Engine,
    container: ContainerSnapshot,
    stage: Stage,
    hook: Hook,
    *,
    user: str,
    folder: str,
    env: Mapping[str, str],
    progress: Progress,
) -> None:
    async def one(step: lifecycle.Step) -> tuple[int, list[str]]:
        key = f"hook:{stage.value}:{step.name}"
        tail = LineTail(lambda text, stream: progress.line(key, text, stream))
        stream = await engine.exec_stream(
            container.id, list(step.argv), user=user, env=env, workdir=folder, stdin=False
        )
        try:
            while (piece := await stream.read()) is not None:
                tail.feed(piece[1], "stderr" if piece[0] == 2 else "stdout")
            tail.finish()
            code = await exit_of(stream)
        finally:
            await stream.close()
        return code, list(tail.lines)

    await run_command(stage, hook.origin, hook.command, one, progress)


async def run_command(
    stage: Stage,
    origin: str,
    command: LifecycleCommand,
    one: Callable[[lifecycle.Step], Awaitable[tuple[int, list[str]]]],
    progress: Progress,
) -> None:
    """All steps of a command at once; all are awaited, then the first failure is told."""

    async def step(each: lifecycle.Step) -> tuple[lifecycle.Step, int, list[str], DevenvError | None]:
        key = f"hook:{stage.value}:{each.name}"
        progress.step(key, f"{stage.value}{f' {each.name}' if each.name else ''}: {each.text}")
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
                f"{stage.value}{f' {each.name}' if each.name else ''} failed with exit code {code}: {each.text}",
                "correct it; `devenv up` runs it again",
                details={
                    "hook": stage.value,
                    "name": each.name,
                    "origin": origin,
                    "command": each.text,
                    "exit_code": code,
                    "lines": lines,
                },
            )


async def run_on_host(
    command: LifecycleCommand, *, folder: str, env: Mapping[str, str], umask: int, progress: Progress
) -> None:
    """`initializeCommand`: as the client's user, in the project, with the client's environment."""

    async def one(step: lifecycle.Step) -> tuple[int, list[str]]:
        key = f"hook:{Stage.INITIALIZE.value}:{step.name}"
        tail = LineTail(lambda text, stream: progress.line(key, text, stream))
        try:
            process = await asyncio.create_subprocess_exec(
                *step.argv,
                cwd=folder,
                env=dict(env),
                umask=umask,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return 127, [f"{step.argv[0]}: {os.strerror(error.errno or 0)}"]
        assert process.stdout is not None and process.stderr is not None

        async def pump(stream: asyncio.StreamReader, name: str) -> None:
            while data := await stream.read(65536):
                tail.feed(data, name)

        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pump(process.stdout, "stdout"))
                tasks.create_task(pump(process.stderr, "stderr"))
            code = await process.wait()
        except BaseException:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):  # it ended, and the loop has not heard of it yet
                    os.killpg(process.pid, signal.SIGTERM)
            raise
        tail.finish()
        return code, list(tail.lines)

    await run_command(Stage.INITIALIZE, "devcontainer.json", command, one, progress)


class LineTail:
    """Bytes in, whole lines out; keeps the last ones. A stream's partial line waits for its end (up to 64 KiB)."""

    def __init__(self, take: Callable[[str, str], None]) -> None:
        self.lines: deque[str] = deque(maxlen=_TAIL)
        self._take = take
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
        text = line.decode("utf-8", "replace").rstrip("\r")
        self.lines.append(text)
        self._take(text, stream)
