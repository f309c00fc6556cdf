"""`devenv test --watch`: run, wait for a save, run what it affects, again and again. The loop, without its parts.

What starts a test run and what watches the disk are given, so that the loop is tested without either. A save during a
run ends that run and starts the one that the save asks for, together with what was still open. What the tests write
themselves never starts a run.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from devenv.runs.affected import Failed, Phase, is_test_file, plan
from devenv.runs.imports import imports_of
from devenv.runs.own_writes import OwnWrites
from devenv.runs.snapshot import Change
from devenv.runs.tests import TestReport
from devenv.runs.watch import Watch
from devenv.runs.workspace import WorkspacePaths

PASSED = (0, 5)  # pytest's exit status: all passed, nothing was collected


class TestRun(Protocol):
    """One pytest run in the container. Only one exists at a time."""

    @property
    def report(self) -> TestReport: ...
    async def wait(self) -> None:
        """Until the run is over and its report complete. Cancelling it leaves the run alone."""

    async def end(self) -> None:
        """Ends the run (as `devenv kill` does) and returns when it is over."""


class ImportIndex:
    """Which names each Python file imports; kept up to date by the watch, in its worker thread."""

    def __init__(self) -> None:
        self._imports: dict[str, frozenset[str]] = {}

    def contents(self, path: str, data: bytes | None) -> None:
        """A file's new bytes; a file that is gone keeps its place, because its importers are what it breaks."""
        if path.endswith((".py", ".pyi")):
            self._imports[path] = frozenset() if data is None else imports_of(data)

    def current(self, existing: frozenset[str]) -> dict[str, frozenset[str]]:
        """A copy without the test files that do not exist any more: they cannot be run."""
        known = self._imports.copy()
        return {path: names for path, names in known.items() if path in existing or not is_test_file(path)}


class FailedTests:
    """The tests that failed the last time they ran, over several runs of which each may be a part."""

    def __init__(self, workspace: WorkspacePaths) -> None:
        self._workspace = workspace
        self._failed: dict[str, Failed] = {}

    def take_in(self, report: TestReport) -> None:
        for nodeid in report.passed_ids:
            self._failed.pop(nodeid, None)
        failed = set(report.failed_ids)
        for test in report.view().tests:
            if test.id in failed:
                self._failed[test.id] = Failed(test.id, self._path(test.id, report))

    def _path(self, nodeid: str, report: TestReport) -> str:
        full = posixpath.normpath(posixpath.join(report.rootdir, nodeid.split("::")[0]))
        return self._workspace.relative(full) or full

    def __iter__(self) -> Iterator[Failed]:
        return iter(list(self._failed.values()))

    def __len__(self) -> int:
        return len(self._failed)


class TestWatch:
    """Runs until it is cancelled, which ends a run that is going on.

    `start` starts one phase's pytest and returns at once; `on_phase` is told each phase that starts, for front ends.
    `watch` must have been made with `index.contents` as its `on_contents`.
    """

    __test__ = False

    def __init__(
        self,
        watch: Watch,
        index: ImportIndex,
        workspace: WorkspacePaths,
        start: Callable[[Phase], Awaitable[TestRun]],
        on_phase: Callable[[Phase], None] = lambda phase: None,
    ) -> None:
        self._watch = watch
        self._index = index
        self._workspace = workspace
        self._start = start
        self._on_phase = on_phase
        self.failed = FailedTests(workspace)
        self.own_writes = OwnWrites()
        self._open: set[str] = set()  # changed files that no whole, passing run has answered yet

    async def run(self) -> None:
        phases: tuple[Phase, ...] = (Phase("all"),)
        cause: list[str] = []
        while True:
            edits = await self._run_phases(phases, cause)
            while not edits:
                edits = self.own_writes.edits(await self._watch.changes())
            cause = sorted({change.path for change in edits})
            self._open.update(cause)
            phases = plan(self._open, self._index.current(self._watch.snapshot.paths), self.failed)

    async def _run_phases(self, phases: tuple[Phase, ...], cause: list[str]) -> list[Change]:
        """Runs the phases while they pass; the edits that came meanwhile, [] when there were none."""
        for phase in phases:
            self._on_phase(phase)
            self.own_writes.began(cause)
            run = await self._start(phase)
            try:
                edits, whole = await self._until_over(run)
            except BaseException:
                await asyncio.shield(run.end())
                raise
            self.own_writes.ended(whole=whole)
            self.failed.take_in(run.report)
            passed = whole and run.report.status in PASSED
            if passed and phase.name == "all":
                self._open.clear()
            if edits or not passed:
                return edits
        return []

    async def _until_over(self, run: TestRun) -> tuple[list[Change], bool]:
        """The edits made during the run, and whether it ran to its own end."""
        edits: list[Change] = []
        whole = True
        over = asyncio.create_task(run.wait())
        saved = asyncio.create_task(self._watch.changes())
        try:
            while not over.done():
                await asyncio.wait({over, saved}, return_when=asyncio.FIRST_COMPLETED)
                if saved.done():
                    edits += self.own_writes.edits(saved.result())
                    saved = asyncio.create_task(self._watch.changes())
                if edits and not over.done() and not self.own_writes.patient:
                    whole = False
                    await run.end()
                    break
            await over
        finally:
            for task in (over, saved):
                task.cancel()
            await asyncio.wait({over, saved})
        if not saved.cancelled():
            edits += self.own_writes.edits(saved.result())
        return edits + await self._rest(), whole

    async def _rest(self) -> list[Change]:
        """What the run wrote at its very end, judged before it counts as over: late events then find no difference."""
        return self.own_writes.edits(await self._watch.compare(whole=True))
