"""pytest runs whose structured lines are read here, for a client, for a watch, or for nobody in particular."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from devenv.errors import LinkError, NotUp
from devenv.link.port import Stream
from devenv.runs.tests import TestReport
from devenv.supervisor.workbench import Workbench

_LIVE = ("starting", "running")


async def read_run(bench: Workbench, run: str, take: Callable[[int, bytes], None]) -> Mapping[str, Any] | None:
    """All that a run prints, from its first byte, over as many links as it takes. Its record at the end; None when
    the container ended first and nothing is known."""
    offset = 0
    while True:
        record: Mapping[str, Any] | None = None
        try:
            link = await bench.link()
            channel = await link.attach(run, offset=offset, input=False)
            try:
                while (item := await channel.recv()) is not None:
                    stream, data = item
                    offset += len(data)
                    take(stream, data)
                record = channel.result.get("record")
            finally:
                await channel.close()
        except (LinkError, NotUp):
            pass
        record = record or bench.runs.get(run)
        if record is not None and record["state"] not in _LIVE:
            return record
        if not bench.running:
            return record


class TestRunHandle:
    """One pytest run: implements devenv.runs.testwatch.TestRun. `output` also gets what it prints."""

    __test__ = False  # for pytest: not a class of tests

    def __init__(
        self, bench: Workbench, record: Mapping[str, Any], report: TestReport, output: Callable[[int, bytes], None]
    ) -> None:
        self.report = report
        self._bench = bench
        self._run = str(record["id"])
        self._output = output
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        def take(stream: int, data: bytes) -> None:
            if stream == Stream.EVENTS and self.report.feed(data):
                self._bench.changes.touch()
            self._output(stream, data)

        record = await read_run(self._bench, self._run, take)
        if record is not None:
            self.report.end(record)
        self._bench.changes.touch()

    async def wait(self) -> None:
        await asyncio.shield(self._reading)

    async def end(self) -> None:
        self.report.stopping = True
        try:
            link = await self._bench.link()
            await link.request("runs.end", run=self._run)
        except (LinkError, NotUp):
            pass  # the run has ended with its container
        await self.wait()
