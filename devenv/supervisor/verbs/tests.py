"""test and test --watch."""

from __future__ import annotations

from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import TestArgs, WatchTestsArgs
from devenv.runs.history import to_view
from devenv.runs.tests import TestReport
from devenv.supervisor.asides import tell_pending
from devenv.supervisor.connection import Connection
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.registry import Registry
from devenv.supervisor.test_runs import TestRunHandle
from devenv.supervisor.verbs.runs import RunVerbs


class TestVerbs:
    __test__ = False  # for pytest: not a class of tests

    def __init__(self, registry: Registry, launcher: Launcher, runs: RunVerbs) -> None:
        self._registry = registry
        self._launcher = launcher
        self._runs = runs

    async def test(self, args: TestArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        tell_pending(bench, ctx, connection)
        if args.watch:
            from devenv.supervisor.test_watch import watch_for_client

            await watch_for_client(bench, self._launcher, self._registry, args, ctx, connection)
            return None
        record = await self._launcher.start(bench, await self._launcher.test_spec(bench, args, ctx))
        bench.tests = TestReport(bench.paths, record["id"])
        handle = TestRunHandle(bench, record, bench.tests, lambda stream, data: None)
        bench.start(handle.wait(), "test results")  # read to the end whether or not a client stays
        if args.detach:
            return {"run": to_view(record), "text": f"tests run: {record['id']}"}
        connection.start_stream()
        ended = await self._runs.stream_run(bench, record["id"], ctx, connection, tty=args.tty)
        await handle.wait()
        if hint := handle.report.hint(ended):
            connection.note(f"devenv: {hint}")
        await self._runs.finish(connection, ended)
        return None

    async def watch_tests(self, args: WatchTestsArgs, ctx: ClientContext, connection: Connection) -> Any:
        """The terminal UI's switch: the watch belongs to the environment then, not to a client."""
        from devenv.supervisor.test_watch import watch_tests

        bench = await self._registry.find(args, ctx)
        if bench.test_watch is not None:
            bench.test_watch.cancel()
            bench.test_watch = None
        if args.on:
            bench.require_running()
            work = watch_tests(
                bench,
                self._launcher,
                self._registry,
                TestArgs(args=args.args),
                ctx,
                output=lambda stream, data: None,
                tell=lambda text: None,
            )
            bench.test_watch = bench.start(work, "test watch")
        elif bench.tests is not None:
            bench.tests.watching = False
        bench.changes.touch()
        return {}
