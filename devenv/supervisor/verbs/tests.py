"""test and test --watch: pytest as a run whose structured lines are read here."""

from __future__ import annotations

from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import TestArgs, WatchTestsArgs
from devenv.errors import LinkError, NotUp
from devenv.link.port import Stream
from devenv.runs.history import to_view
from devenv.runs.spec import RunSpec
from devenv.runs.tests import TestReport
from devenv.supervisor.connection import Connection
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.registry import Registry
from devenv.supervisor.verbs.runs import RunVerbs
from devenv.supervisor.workbench import Workbench


class TestVerbs:
    __test__ = False  # for pytest: not a class of tests

    def __init__(self, registry: Registry, launcher: Launcher, runs: RunVerbs) -> None:
        self._registry = registry
        self._launcher = launcher
        self._runs = runs

    async def test(self, args: TestArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        if args.watch:
            from devenv.supervisor.test_watch import watch_for_client

            await watch_for_client(bench, self, self._registry, args, ctx, connection)
            return None
        record = await self.begin(bench, args, ctx)
        if args.detach:
            return {"run": to_view(record), "text": f"tests run: {record['id']}"}
        connection.start_stream()
        await self._runs.follow(bench, record["id"], ctx, connection, tty=args.tty)
        return None

    async def begin(
        self,
        bench: Workbench,
        args: TestArgs,
        ctx: ClientContext,
        first: tuple[str, ...] = (),
        *,
        watching: bool = False,
    ) -> dict[str, Any]:
        """Starts pytest and reads its results in the background, whether or not a client stays."""
        spec: RunSpec = await self._launcher.test_spec(bench, args, ctx, first)
        record = await self._launcher.start(bench, spec)
        report = TestReport(bench.paths, record["id"], watching=watching)
        bench.tests = report
        bench.start(self._read(bench, record["id"], report), "test results")
        return record

    async def _read(self, bench: Workbench, run: str, report: TestReport) -> None:
        """The structured lines of one run, from its first byte, over as many links as it takes."""
        offset = 0
        while True:
            try:
                link = await bench.link()
                channel = await link.attach(run, offset=offset, input=False)
                while (item := await channel.recv()) is not None:
                    stream, data = item
                    offset += len(data)
                    if stream == Stream.EVENTS and report.feed(data):
                        bench.changes.touch()
                record = channel.result.get("record")
            except (LinkError, NotUp):
                record = None
            known = record or bench.runs.get(run)
            if known is not None and known["state"] not in ("starting", "running"):
                report.end(known)
                bench.changes.touch()
                return
            if not bench.running:
                return

    async def follow(self, bench: Workbench, run: str, ctx: ClientContext, connection: Connection, tty: bool) -> None:
        await self._runs.follow(bench, run, ctx, connection, tty=tty)

    async def watch_tests(self, args: WatchTestsArgs, ctx: ClientContext, connection: Connection) -> Any:
        """The terminal UI's switch: the watch belongs to the environment then, not to a client."""
        from devenv.supervisor.test_watch import watch_in_background

        bench = await self._registry.find(args, ctx)
        if bench.test_watch is not None:
            bench.test_watch.cancel()
            bench.test_watch = None
        if args.on:
            bench.test_watch = bench.start(
                watch_in_background(bench, self, self._registry, TestArgs(args=args.args), ctx), "test watch"
            )
        elif bench.tests is not None:
            bench.tests.watching = False
        bench.changes.touch()
        return {}
