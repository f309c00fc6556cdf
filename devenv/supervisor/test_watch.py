"""`test --watch` for a client, and the terminal UI's switch: devenv.runs.testwatch with its parts put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from devenv.api.context import ClientContext
from devenv.api.messages import TestArgs
from devenv.link.port import Stream
from devenv.runs.affected import Phase
from devenv.runs.tests import TestReport
from devenv.runs.testwatch import ImportIndex, TestWatch
from devenv.runs.watch import watch_project
from devenv.supervisor import connection as wire
from devenv.supervisor.asides import ports_told
from devenv.supervisor.connection import Connection
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.registry import Registry
from devenv.supervisor.test_runs import TestRunHandle
from devenv.supervisor.workbench import Workbench

_KINDS = {Stream.OUT: wire.STDOUT, Stream.ERR: wire.STDERR, Stream.EVENTS: wire.EVENTS}


async def watch_tests(
    bench: Workbench,
    launcher: Launcher,
    registry: Registry,
    args: TestArgs,
    ctx: ClientContext,
    *,
    output: Callable[[int, bytes], None],
    tell: Callable[[str], None],
) -> None:
    """Until cancelled; a run that is going on is ended then."""
    index = ImportIndex()
    config = registry.config(bench)

    async def start(phase: Phase) -> TestRunHandle:
        words = [*args.args, *phase.paths] if phase.paths else args.args
        asked = TestArgs(args=words, tty=args.tty)
        root = ctx if not phase.paths else _at(ctx, bench.target.local_folder)
        record = await launcher.start(bench, await launcher.test_spec(bench, asked, root, phase.first))
        bench.tests = TestReport(bench.paths, record["id"], watching=True)
        return TestRunHandle(bench, record, bench.tests, output)

    def on_phase(phase: Phase) -> None:
        tell("testing everything" if phase.name == "all" else f"testing {', '.join(phase.paths)}")

    async with watch_project(
        bench.target.local_folder, config.test.ignore, on_contents=index.contents, on_note=tell
    ) as watch:
        await TestWatch(watch, index, bench.paths, start, on_phase).run()


async def watch_for_client(
    bench: Workbench,
    launcher: Launcher,
    registry: Registry,
    args: TestArgs,
    ctx: ClientContext,
    connection: Connection,
) -> None:
    """Ends with its client, or when the client sends a signal (Ctrl-C)."""
    bench.require_running()
    connection.start_stream()

    def output(stream: int, data: bytes) -> None:
        connection.frame(_KINDS[Stream(stream)], data)

    def tell(text: str) -> None:
        connection.note(f"devenv: {text}")

    work = asyncio.ensure_future(watch_tests(bench, launcher, registry, args, ctx, output=output, tell=tell))
    client = asyncio.ensure_future(_interrupted(connection))
    try:
        with ports_told(bench, ctx, connection):
            await asyncio.wait({work, client}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (work, client):
            task.cancel()
        await asyncio.gather(work, client, return_exceptions=True)
    if not work.cancelled() and (error := work.exception()) is not None:
        raise error
    if client.done() and not client.cancelled() and client.exception() is None:
        connection.end({"exit": 130})
        await connection.drain()


async def _interrupted(connection: Connection) -> None:
    """Returns at the client's first signal; ClientGone when it hangs up."""
    while True:
        kind, _ = await connection.recv_frame()
        if kind == wire.SIGNAL:
            return


def _at(ctx: ClientContext, folder: str) -> ClientContext:
    return ClientContext(folder, ctx.umask, ctx.env, ctx.uid, ctx.rows, ctx.columns)
