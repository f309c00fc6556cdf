"""run, rerun, runs, logs, attach, kill, and the viewport's read and input. Runs outlive everything here."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import (
    AttachArgs,
    InputArgs,
    KillArgs,
    ReadArgs,
    RerunArgs,
    ResizeArgs,
    RunArgs,
    RunRef,
    RunsArgs,
)
from devenv.api.views import RunView
from devenv.errors import LinkError, NotFound, NotUp
from devenv.link.answers import AgentRefusal
from devenv.runs.history import find, to_view
from devenv.runs.spec import RunSpec
from devenv.supervisor.asides import ports_told, tell_pending
from devenv.supervisor.connection import Connection
from devenv.supervisor.door import Door
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.registry import Registry
from devenv.supervisor.relay import ClientStream
from devenv.supervisor.workbench import Workbench

_RETRY = (0.0, 0.05, 0.2, 0.5, 1.0)  # seconds before a run is joined again over the next link


class RunVerbs:
    def __init__(self, registry: Registry, launcher: Launcher, door: Door) -> None:
        self._registry = registry
        self._launcher = launcher
        self._door = door

    async def run(self, args: RunArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        spec = await self._launcher.run_spec(bench, args, ctx)
        return await self.started(bench, spec, args.detach, ctx, connection)

    async def rerun(self, args: RerunArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        record = find(bench.runs.all(), args.run)
        door = await self._door.open(bench) if record.get("kind") == "debug" else None
        place = f"{door.host}:{door.host_port}" if door else ""
        spec = await self._launcher.again(bench, record, args.tty, ctx, place)
        return await self.started(bench, spec, args.detach, ctx, connection)

    async def started(
        self, bench: Workbench, spec: RunSpec, detach: bool, ctx: ClientContext, connection: Connection
    ) -> Any:
        """Starts a spec and either answers at once or streams it."""
        tell_pending(bench, ctx, connection)
        record = await self._launcher.start(bench, spec)
        if spec.kind == "debug":
            await self._door.open_sessions(bench)
        if detach:
            return {"run": to_view(record), "text": f"{record['name']} runs: {record['id']}  (devenv attach)"}
        connection.start_stream()
        await self.follow(bench, record["id"], ctx, connection, tty=spec.tty is not None)
        return None

    async def follow(
        self,
        bench: Workbench,
        run: str,
        ctx: ClientContext,
        connection: Connection,
        *,
        tty: bool,
        tail: int | None = None,
        input: bool = True,
    ) -> None:
        """Streams a run to its end and tells the client how it ended."""
        await self.finish(
            connection, await self.stream_run(bench, run, ctx, connection, tty=tty, tail=tail, input=input)
        )

    async def finish(
        self, connection: Connection, record: Mapping[str, Any], more: Mapping[str, Any] | None = None
    ) -> None:
        """Tells the client how a run ended; `more` goes with it."""
        _say_end(connection, record)
        connection.end({**_exit_of(record), **(more or {})})
        await connection.drain()

    async def stream_run(
        self,
        bench: Workbench,
        run: str,
        ctx: ClientContext,
        connection: Connection,
        *,
        tty: bool,
        tail: int | None = None,
        input: bool = True,
    ) -> Mapping[str, Any]:
        """Streams a run to its end, over as many links as it takes; its record."""
        async with ClientStream(connection, ctx) as client:
            with ports_told(bench, ctx, connection):
                record = await self._streamed(bench, run, client, tty=tty, tail=tail, input=input)
            if bench.files is not None and (why := await bench.files.after()):
                connection.note(f"devenv: {why}")
            return record

    async def _streamed(
        self, bench: Workbench, run: str, client: ClientStream, *, tty: bool, tail: int | None, input: bool
    ) -> Mapping[str, Any]:
        start = 0
        attempt = 0
        while True:
            try:
                link = await bench.link()
                known = bench.runs.get(run)
                if not client.sent and tail is not None and known is not None:
                    fresh = await link.request("runs.get", run=run)
                    start = max(0, int(fresh["size"]) - tail)
                offset = start + sum(client.sent.values())
                channel = await link.attach(run, offset=offset, input=input, size=client.size if tty else None)
                record: Mapping[str, Any] | None = (await client.run(channel)).get("record")
                if record is not None:
                    return record
            except AgentRefusal:
                raise
            except (LinkError, NotUp):
                # A run that has ended meanwhile may have more output than this client has seen: joined again too.
                if not bench.running:
                    return bench.runs.get(run) or {"state": "lost", "reason": "the container is gone"}
                if bench.no_python:
                    raise
            # An agent that does not answer tells nobody when it will again.
            await client.pause(_RETRY[min(attempt, len(_RETRY) - 1)])
            attempt += 1

    async def runs(self, args: RunsArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        await bench.refresh_runs()
        views = [to_view(record) for record in bench.runs.all()]
        if not args.all:
            views = [view for view in views if view.kind != "service"][:20]
        return {"runs": views}

    async def logs(self, args: AttachArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        await bench.refresh_runs()
        record = find(bench.runs.all(), args.run)
        bench.require_running()
        record = await self._kept(bench, record)
        connection.start_stream()
        if args.follow:
            await self.follow(bench, record["id"], ctx, connection, tty=False, tail=args.tail, input=False)
            return None
        offset = max(0, record["size"] - args.tail) if args.tail is not None else 0
        await self._print(bench, record["id"], offset, record["size"], connection)
        connection.end({"exit": 0})
        return None

    async def _kept(self, bench: Workbench, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The record as the container has it. Raises NotFound when the run's output is in another one's volume."""
        try:
            known: Mapping[str, Any] = await (await bench.link()).request("runs.get", run=record["id"])
        except AgentRefusal as refusal:
            if refusal.details.get("code") != "no-run":
                raise
            hint = "`devenv runs` lists what ran"
            if bench.adopted:
                hint = "devenv's own container had it, in a volume that is kept: `devenv rebuild` brings it back"
            raise NotFound(
                f"the output of {record['name']} ({record['id']}) is not in this container", hint
            ) from refusal
        return known

    async def _print(self, bench: Workbench, run: str, offset: int, end: int, connection: Connection) -> None:
        """What is spooled now, stdout and stderr apart, without waiting for more."""
        link = await bench.link()
        while offset < end:
            piece = await link.request("runs.read", run=run, offset=offset, length=min(262144, end - offset))
            if piece.get("gap") and piece["start"] > offset:
                connection.note(f"devenv: {piece['start'] - offset} bytes were dropped here (the run's output cap)")
            data = base64.b64decode(piece["data"])
            if not data:
                break
            for kind, part in _by_stream(piece, data):
                connection.frame(kind, part)
                await connection.drain()
            offset = piece["end"]

    async def attach(self, args: AttachArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        bench.require_running()
        await bench.refresh_runs()
        record = self._live(bench, args)
        connection.start_stream()
        connection.note(f"{record['name']} ({record['id']})" + ("; Ctrl-] d detaches" if ctx.rows else ""))
        await self.follow(
            bench, record["id"], ctx, connection, tty=bool(ctx.rows and record["tty"]), tail=args.tail, input=args.input
        )
        return None

    def _live(self, bench: Workbench, args: RunRef) -> Mapping[str, Any]:
        if args.run != "live":
            return find(bench.runs.all(), args.run)
        live = [record for record in bench.runs.live() if record["kind"] != "service"]
        if not live:
            raise NotFound("no run is alive", "`devenv runs` lists what ran; `devenv logs` shows its output")
        return live[0]

    async def kill(self, args: KillArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        bench.require_running()
        await bench.refresh_runs()
        record = self._live(bench, args)
        link = await bench.link()
        if args.signal is not None:
            await link.request("runs.signal", run=record["id"], signal=args.signal)
            return {"run": to_view(record)}
        ended = await link.request("runs.end", run=record["id"], force=args.force)
        bench.runs.update(ended)
        return {"run": to_view(ended)}

    async def read(self, args: ReadArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        where: dict[str, Any] = {"tail_bytes": args.tail} if args.tail is not None else {"offset": args.offset or 0}
        link = await bench.link()
        try:
            return await link.request("runs.read", run=args.run, length=args.length, **where)
        except AgentRefusal as refusal:
            if refusal.details.get("code") == "no-run":
                raise NotFound(refusal.message, "`devenv runs` lists what ran") from refusal
            raise

    async def input(self, args: InputArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        link = await bench.link()
        known = await link.request("runs.get", run=args.run)
        channel = await link.attach(args.run, offset=int(known["size"]), input=True)
        try:
            await channel.send(base64.b64decode(args.data))
        finally:
            await channel.close()
        return {}

    async def resize(self, args: ResizeArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        link = await bench.link()
        await link.request("runs.resize", run=args.run, rows=args.rows, columns=args.columns)
        return {}


def _by_stream(piece: Mapping[str, Any], data: bytes) -> list[tuple[int, bytes]]:
    """Cuts a slice of the spool at its marks. Structured lines (test results) are not printed."""
    marks = [(max(offset, piece["start"]), stream) for offset, stream in piece["marks"]] or [(piece["start"], 1)]
    ends = [offset for offset, _ in marks[1:]] + [piece["end"]]
    parts = []
    for (offset, stream), end in zip(marks, ends, strict=True):
        part = data[offset - piece["start"] : end - piece["start"]]
        if part and stream in (1, 2):
            parts.append((stream, part))
    return parts


def _exit_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The END message: the program's own exit code or signal."""
    view: RunView = to_view(record)
    base: dict[str, Any] = {"run": view.id, "state": view.state.value, "reason": view.reason}
    if view.exit_code is not None:
        return {**base, "exit": view.exit_code}
    if view.signal is not None:
        return {**base, "signal": view.signal}
    return {**base, "exit": 1}


def _say_end(connection: Connection, record: Mapping[str, Any]) -> None:
    """One line for an end that the program itself cannot have told."""
    state = record["state"]
    if state in ("oom", "lost", "failed"):
        connection.note(f"devenv: run {record.get('id', '')} {state}: {record.get('reason') or state}")
    if dropped := record.get("dropped"):
        connection.note(f"devenv: {dropped} bytes of its output were not kept (its cap, or a full disk)")
