"""The asynchronous client of the supervisor, for front ends. One connection per call; nothing is cached here."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from devenv import errors
from devenv.api import paths
from devenv.api.port import ProgressCallback
from devenv.api.profiling import ProfileResult
from devenv.api.views import (
    ConfigurationView,
    DebugSessionView,
    DebugView,
    EnvironmentView,
    OutputChunk,
    ProgressView,
    Snapshot,
    SyncView,
)
from devenv.version import VERSION

_OUTDATED = b'{"t":"outdated"'  # the supervisor is older than we are


def error_from_wire(error: dict[str, Any]) -> errors.DevenvError:
    """The error of ours that travelled; an unknown kind of a newer supervisor keeps its words and its code."""
    kind = getattr(errors, str(error.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, errors.DevenvError)) or kind is errors.ConfigError:
        kind = errors.DevenvError
    made = kind(str(error.get("message", "")), str(error.get("hint", "")), details=error.get("details"))
    with contextlib.suppress(ValueError):
        made.code = errors.ExitCode(int(error.get("code", made.code)))
    return made


class SupervisorClient:
    """Implements devenv.api.port.Client over the supervisor's socket, bound to one project folder."""

    def __init__(self, folder: str, config: str | None = None) -> None:
        self.folder = folder
        self._config = config
        self._chosen = config is not None
        self._front = f"{os.getpid()}-{id(self)}"

    async def _open(self, verb: str, args: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        path = paths.socket_path(paths.state_folder())
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=64 << 20)
        except OSError:
            from devenv.api.launch import start_supervisor

            await asyncio.to_thread(start_supervisor)
            try:
                reader, writer = await asyncio.open_unix_connection(path, limit=64 << 20)
            except OSError as error:
                raise errors.LinkError(f"the supervisor does not answer ({error.strerror})", "try again") from error
        mask = os.umask(0o077)
        os.umask(mask)
        given = {name: value for name, value in args.items() if value is not None}
        request = {
            "v": 1,
            "client": VERSION,
            "verb": verb,
            "args": {"folder": self.folder, **({"config": self._config} if self._config else {}), **given},
            "context": {"cwd": self.folder, "umask": mask, "env": _environment(), "uid": os.getuid()},
        }
        writer.write(msgspec.json.encode(request) + b"\n")
        return reader, writer

    async def _messages(self, verb: str, args: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        reader, writer = await self._open(verb, args)
        try:
            line = await _line(reader)
            if line.startswith(_OUTDATED):
                from devenv.api.launch import start_successor

                writer.close()
                await asyncio.to_thread(start_successor)
                reader, writer = await self._open(verb, args)
                line = await _line(reader)
            if line.startswith(_OUTDATED):
                raise errors.LinkError("an older supervisor still answers", "run: devenv supervisor restart")
            while line.endswith(b"\n"):
                yield msgspec.json.decode(line)
                line = await _line(reader)
        finally:
            writer.close()

    async def _call(self, verb: str, progress: ProgressCallback | None = None, **args: Any) -> Any:
        async with contextlib.aclosing(self._iterate(verb, args)) as messages:
            async for message in messages:
                kind = message["t"]
                if kind == "result":
                    return message["result"]
                if kind == "error":
                    raise error_from_wire(message["error"])
                if progress is not None:
                    _tell(progress, message)
        raise errors.LinkError("the supervisor went away in the middle of the request", "try again")

    def _iterate(self, verb: str, args: dict[str, Any]) -> Any:
        return self._messages(verb, args)

    async def watch(self) -> AsyncIterator[Snapshot]:
        async with contextlib.aclosing(
            self._iterate("watch", {"front": self._front, "remember": self._chosen})
        ) as messages:
            async for message in messages:
                if message["t"] == "error":
                    raise error_from_wire(message["error"])
                if message["t"] == "event":
                    yield msgspec.convert(message["snapshot"], Snapshot)
        raise errors.LinkError("the supervisor went away; runs go on", "it is started again by itself")

    async def configurations(self) -> list[ConfigurationView]:
        return msgspec.convert((await self._call("configs"))["configs"], list[ConfigurationView])

    def choose(self, config: str) -> None:
        self._config, self._chosen = config, True

    async def claim_opening(self, port: int, since: float) -> bool:
        return bool((await self._call("opening", port=port, since=since))["granted"])

    async def leave(self) -> str:
        return str((await self._call("leave", front=self._front))["sentence"])

    async def init(self) -> list[str]:
        return [str(reason) for reason in (await self._call("init"))["reasons"]]

    async def environments(self) -> list[EnvironmentView]:
        return msgspec.convert((await self._call("ls"))["environments"], list[EnvironmentView])

    async def up(self, progress: ProgressCallback, *, rebuild: bool = False, force: bool = False) -> EnvironmentView:
        result = await (self._call("rebuild", progress, force=force) if rebuild else self._call("up", progress))
        return msgspec.convert(result["environment"], EnvironmentView)

    async def stop(self, *, force: bool = False) -> None:
        await self._call("stop", force=force)

    async def start(self, progress: ProgressCallback) -> EnvironmentView:
        return msgspec.convert((await self._call("start", progress))["environment"], EnvironmentView)

    async def down(self, *, volumes: bool = False, force: bool = False) -> None:
        await self._call("down", volumes=volumes, force=force)

    async def run(self, target: str, args: list[str], *, debug: bool = False, wait: bool = False) -> str:
        verb, extra = ("debug", {"wait": wait}) if debug else ("run", {})
        result = await self._call(verb, None, target=target, args=args, detach=True, tty=True, **extra)
        return str(result["run"]["id"])

    async def rerun(self, run: str) -> str:
        return str((await self._call("rerun", run=run, detach=True, tty=True))["run"]["id"])

    async def end_run(self, run: str, *, force: bool = False) -> None:
        await self._call("kill", run=run, force=force)

    async def read_output(
        self, run: str, *, offset: int | None = None, length: int = 65536, tail: int | None = None
    ) -> OutputChunk:
        result = await self._call("read", run=run, offset=offset, length=length, tail=tail)
        return msgspec.convert(result, OutputChunk, strict=False)

    async def send_input(self, run: str, data: bytes) -> None:
        await self._call("input", run=run, data=base64.b64encode(data).decode())

    async def resize(self, run: str, rows: int, columns: int) -> None:
        await self._call("resize", run=run, rows=rows, columns=columns)

    async def stack(self, run: str) -> str:
        from devenv.api.stack_text import text

        return text(await self._call("stack", target=run))

    async def profile(self, run: str, seconds: float) -> ProfileResult:
        return msgspec.convert(await self._call("record", target=run, seconds=seconds), ProfileResult)

    async def debug_sessions(self, *, select: str = "") -> tuple[list[DebugSessionView], DebugView | None]:
        result = await self._call("debug-sessions", select=select)
        return msgspec.convert((result["sessions"], result["debug"]), tuple[list[DebugSessionView], DebugView | None])

    async def attach_debugger(self, run: str, *, privileged: bool = False) -> str:
        notes: list[str] = []
        result = await self._call(
            "debug-attach",
            lambda said: notes.append(said) if type(said) is str else None,
            target=run,
            privileged=privileged,
        )
        return "\n".join([str(result["text"]), *notes])

    async def sync(
        self, action: str, *, name: str = "", take: str = "", allow_deletions: bool = False
    ) -> tuple[SyncView | None, str]:
        result = await self._call("sync", action=action, name=name, take=take, allow_deletions=allow_deletions)
        return msgspec.convert(result["sync"], SyncView | None), str(result.get("text", ""))

    async def test(self, args: list[str]) -> str:
        return str((await self._call("test", args=args, detach=True))["run"]["id"])

    async def watch_tests(self, on: bool) -> None:
        await self._call("watch-tests", on=on)

    async def service(self, name: str, action: str) -> None:
        await self._call("services", name=name, action=action)

    async def build_log(self, *, tail: int = 65536) -> str:
        return str((await self._call("build-log", tail=tail))["text"])

    async def close(self) -> None:
        """Nothing is held between calls."""


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; b"" or a part of one when the supervisor is gone, however it went."""
    try:
        return await reader.readline()
    except ConnectionError:
        return b""


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if value.isascii() or value.encode("utf-8", "ignore").decode() == value
    }


def _tell(progress: Callable[[ProgressView | str], None], message: dict[str, Any]) -> None:
    kind = message["t"]
    if kind == "progress":
        progress(msgspec.convert({**message, "title": message.get("title") or ""}, ProgressView))
    elif kind in ("line", "note"):
        progress(str(message["text"]))
