"""sync: what is kept the same, and what a person decides about it."""

from __future__ import annotations

import asyncio
import difflib
from typing import TYPE_CHECKING, Any

import msgspec

from devenv.api.context import ClientContext
from devenv.api.messages import SyncArgs
from devenv.errors import NotFound, Refused, UsageError
from devenv.supervisor.connection import Connection
from devenv.supervisor.live import Live
from devenv.supervisor.registry import Registry
from devenv.sync.one_way import SENTENCE
from devenv.sync.pair import Pair, State
from devenv.sync.words import printable

if TYPE_CHECKING:
    from devenv.supervisor.files import Files
    from devenv.sync.core.merge import Conflict

_SHOWN = 50  # paths of one part of the trash
_MOST_TEXT = 1 << 20  # bytes of a file that is compared line by line


class SyncVerbs:
    def __init__(self, registry: Registry, live: Live) -> None:
        self._registry = registry
        self._live = live

    async def sync(self, args: SyncArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        container = bench.require_running()
        await self._live.connect(bench, None)
        files = bench.files
        if files is None:
            where = next((m for m in container.mounts if m.get("Destination") == bench.paths.container), None)
            how = "is mounted: there is nothing to synchronise" if where else "is not synchronised"
            if args.action == "status":
                return {"sync": None, "text": f"{bench.target.local_folder} {how}"}
            raise Refused(f"{bench.target.local_folder} {how}", "devenv.yaml, sync.on says where it is")
        answer: dict[str, Any] = {}
        match args.action:
            case "status":
                pass
            case "flush":
                await files.pair.flush()
            case "verify":
                report = await _both(files).verify()
                done = sum(report.done.values()) if report is not None else 0
                answer["text"] = (
                    "both sides are what they were known to be" if not done else f"{done} differences mended"
                )
            case "pause":
                await files.pair.pause()
            case "resume":
                await files.pair.resume(allow_deletions=args.allow_deletions)
            case "reset":
                await _both(files).reset()
            case "resolve":
                answer["text"] = await self._resolve(files, args)
            case "diff":
                answer["text"] = await self._diff(files, args)
            case "trash":
                answer["trash"] = await self._trash(files)
            case "undo":
                answer["restored"] = await self._undo(files, args.name)
            case _:
                raise UsageError(f"sync: {args.action!r} is no action")
        bench.changes.touch()
        view = files.view()
        if args.action == "status":
            large = await files.large() if view.state == State.IN_STEP else []
            view = msgspec.structs.replace(view, conflicts=await files.described(), large=large)
        return {"sync": msgspec.to_builtins(view), **answer}

    async def _resolve(self, files: Files, args: SyncArgs) -> str:
        from devenv.sync.resolve import Take, resolve

        try:
            take = Take(args.take)
        except ValueError:
            raise UsageError(f"sync resolve: {args.take!r}", f"one of {', '.join(Take)}") from None
        known = _by_name(files)
        paths = [args.name] if args.name else list(known)
        refused: list[Refused] = []
        for path in paths:
            if path not in known:
                raise NotFound(f"there is no conflict at {path}", "`devenv sync conflicts` lists them")
            try:
                async with _both(files).held() as session:
                    await resolve(session, known[path], take)
            except Refused as error:
                refused.append(error)
            _both(files).look_again()
        await files.pair.flush()
        done = f"{len(paths) - len(refused)} resolved"
        if len(paths) == len(refused) == 1:
            raise refused[0]
        if refused:
            raise Refused(f"{done}; not: " + "; ".join(error.message for error in refused[:5]), refused[0].hint)
        return done if paths else "there are no conflicts"

    async def _diff(self, files: Files, args: SyncArgs) -> str:
        from devenv.sync.resolve import content_of

        known = _by_name(files)
        if args.name not in known:
            raise NotFound(f"there is no conflict at {args.name}", "`devenv sync conflicts` lists them")
        path = known[args.name].path
        async with _both(files).held() as session:
            host = await content_of(session.host, known[args.name].host, path, _MOST_TEXT)
            container = await content_of(session.container, known[args.name].container, path, _MOST_TEXT)
        if host is None or container is None:
            return "they cannot be compared line by line"
        lines = await asyncio.to_thread(
            lambda: list(
                difflib.unified_diff(
                    host.decode("utf-8", "replace").splitlines(),
                    container.decode("utf-8", "replace").splitlines(),
                    f"host:{args.name}",
                    f"container:{args.name}",
                    lineterm="",
                )
            )
        )
        return "\n".join(printable(line, "\t") for line in lines) or "the contents are the same"

    async def _trash(self, files: Files) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with _both(files).held() as session:
            for side, end in (("host", session.host), ("container", session.container)):
                found += [
                    {
                        "cycle": one.cycle,
                        "side": side,
                        "at": one.at,
                        "files": len(one.paths),
                        "bytes": one.size,
                        "paths": [printable(path) for path in one.paths[:_SHOWN]],
                    }
                    for one in await end.trashed()
                ]
        return sorted(found, key=lambda one: (one["at"], one["cycle"]), reverse=True)

    async def _undo(self, files: Files, cycle: str) -> list[dict[str, str]]:
        """What a cycle replaced or deleted, at its place again where it was; the next cycle carries it over."""
        trash = await self._trash(files)
        cycle = cycle or (str(trash[0]["cycle"]) if trash else "")
        if not cycle or cycle not in {one["cycle"] for one in trash}:
            raise NotFound(f"the trash has no {cycle or 'entries'}", "`devenv sync trash` lists what it has")
        restored: dict[str, str] = {}
        async with _both(files).held() as session:
            for end in (session.host, session.container):
                if any(one.cycle == cycle for one in await end.trashed()):
                    restored.update(await end.restore(cycle))
        _both(files).look_again()
        await files.pair.flush()
        return [{"path": printable(path), "why": why} for path, why in restored.items()]


def _both(files: Files) -> Pair:
    """Raises Refused where files only go one way."""
    if not isinstance(files.pair, Pair):
        raise Refused(SENTENCE, "an image with Python 3.6 or later is synchronised both ways")
    return files.pair


def _by_name(files: Files) -> dict[str, Conflict]:
    """The conflicts by the names that people are shown."""
    return {printable(conflict.path): conflict for conflict in files.pair.conflicts}
