"""The loop of `devenv test --watch` with real files and real pytest, without a container."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import sys
from collections.abc import AsyncIterator

import pytest

from devenv.runs.affected import Phase
from devenv.runs.tests import TestReport, plugin_payload
from devenv.runs.testwatch import ImportIndex, TestWatch
from devenv.runs.watch import watch_project
from devenv.runs.workspace import WorkspacePaths


class LocalRun:
    """pytest on this machine, as a TestRun."""

    def __init__(self, workspace: WorkspacePaths) -> None:
        self.report = TestReport(workspace, watching=True)
        self.ended_early = False
        self._over = asyncio.Event()
        self.process: asyncio.subprocess.Process | None = None
        self._work: asyncio.Task[None] | None = None

    async def begin(self, root: pathlib.Path, phase: Phase) -> None:
        import json

        folder, _ = plugin_payload()
        reading, writing = os.pipe()
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-p", "devenv_pytest", "-p", "no:cacheprovider", *phase.paths),
            cwd=root,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(folder),
                # An edit of the same size within the same second would leave stale bytecode in use.
                "PYTHONDONTWRITEBYTECODE": "1",
                "DEVENV_EVENTS_FD": str(writing),
                "DEVENV_TEST_FIRST": json.dumps(phase.first),
            },
            pass_fds=[writing],
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        os.close(writing)
        self._work = asyncio.create_task(self._read(reading))

    async def _read(self, reading: int) -> None:
        assert self.process is not None
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            while data := await asyncio.to_thread(pipe.read, 65536):
                self.report.feed(data)
        await self.process.wait()
        self.report.end({"exit_code": self.process.returncode})
        self._over.set()

    async def wait(self) -> None:
        await self._over.wait()

    async def end(self) -> None:
        assert self.process is not None
        self.ended_early = True
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self._over.wait()


class Desk:
    """A watch over a project, whose runs come out one by one."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.started: asyncio.Queue[tuple[Phase, LocalRun]] = asyncio.Queue()

    async def start(self, phase: Phase) -> LocalRun:
        run = LocalRun(WorkspacePaths(str(self.root), str(self.root)))
        await run.begin(self.root, phase)
        self.started.put_nowait((phase, run))
        return run

    async def next(self, *, whole: bool = True) -> tuple[Phase, LocalRun]:
        phase, run = await asyncio.wait_for(self.started.get(), 30)
        if whole:
            await asyncio.wait_for(run.wait(), 30)
        return phase, run

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)


@pytest.fixture
async def desk(tmp_path: pathlib.Path) -> AsyncIterator[Desk]:
    yield Desk(tmp_path)


@contextlib.asynccontextmanager
async def watching(desk: Desk) -> AsyncIterator[TestWatch]:
    index = ImportIndex()
    paths = WorkspacePaths(str(desk.root), str(desk.root))
    async with watch_project(str(desk.root), [], on_contents=index.contents) as watch:
        loop = TestWatch(watch, index, paths, desk.start)
        work = asyncio.create_task(loop.run())
        try:
            yield loop
        finally:
            work.cancel()
            await asyncio.wait({work})
        assert work.cancelled(), work.exception()


def outcomes(run: LocalRun) -> dict[str, str]:
    return {test.id: test.outcome for test in run.report.view().tests}


async def test_failed_then_affected_then_all(desk: Desk) -> None:
    desk.write("pytest.ini", "[pytest]\n")
    desk.write("net.py", "def size(): return 3\n")
    desk.write("tests/test_net.py", "import net\ndef test_size(): assert net.size() == 4\n")
    desk.write("tests/test_other.py", "def test_a(): pass\ndef test_b(): pass\n")
    desk.write("conftest.py", "")
    async with watching(desk):
        phase, run = await desk.next()
        assert phase == Phase("all")
        assert outcomes(run)["tests/test_net.py::test_size"] == "failed"

        desk.write("net.py", "def size(): return 4\n")
        phase, run = await desk.next()
        assert phase == Phase("affected", ("tests/test_net.py",), ("tests/test_net.py::test_size",))
        assert outcomes(run) == {"tests/test_net.py::test_size": "passed"}
        phase, run = await desk.next()
        assert phase == Phase("all")
        assert set(outcomes(run).values()) == {"passed"}
        assert len(outcomes(run)) == 3

        desk.write("tests/test_other.py", "def test_a(): pass\ndef test_b(): assert 0\n")
        phase, run = await desk.next()
        assert phase.paths == ("tests/test_other.py",)
        desk.write("tests/test_net.py", "import net\ndef test_size(): assert net.size() == 4  # saved\n")
        phase, run = await desk.next()
        # Failed first, then changed ones; what failed is not hidden by a save of something else.
        assert (phase.name, phase.first[0]) == ("all", "tests/test_other.py::test_b")


async def test_tests_that_write_files_do_not_start_the_next_run(desk: Desk) -> None:
    desk.write("pytest.ini", "[pytest]\n")
    desk.write(
        "test_writes.py",
        "import os, time\n"
        "def test_writes():\n"
        "    now = str(time.time())\n"
        "    for name in ('out.json', 'golden.yaml', 'generated.py', 'deep/er/x.py', 'results/r.json', 'a.ini'):\n"
        "        os.makedirs(os.path.dirname(name) or '.', exist_ok=True)\n"
        "        open(name, 'w').write('# ' + now)\n"
        "    open('test_writes.py', 'a').close(); os.utime('test_writes.py')\n",
    )
    for name in ("golden.yaml", "marker_0.ini", "marker_1.ini"):
        desk.write(name, "old")
    async with watching(desk) as loop:
        await desk.next()
        for turn in range(6):
            marker = f"marker_{turn % 2}.ini"
            desk.write(marker, f"edit {turn}")
            # Were the run's own files taken for edits, they would be the cause of another run.
            phase, _ = await desk.next()
            assert phase.name == "all"
            assert loop.own_writes._cause == {marker}


async def test_a_save_during_a_run_ends_it_and_starts_the_next(desk: Desk) -> None:
    desk.write("pytest.ini", "[pytest]\n")
    desk.write("test_slow.py", "import time\ndef test_a():\n    open('began', 'w').close()\n    time.sleep(600)\n")
    async with watching(desk):
        _, slow = await desk.next(whole=False)
        while not (desk.root / "began").exists():
            await asyncio.sleep(0.01)
        desk.write("test_slow.py", "def test_a(): pass\n")
        await asyncio.wait_for(slow.wait(), 30)
        assert slow.ended_early
        _, run = await desk.next()
        assert outcomes(run) == {"test_slow.py::test_a": "passed"}


async def test_cancelling_ends_the_run(desk: Desk) -> None:
    desk.write("pytest.ini", "[pytest]\n")
    desk.write("test_slow.py", "import time\ndef test_a(): time.sleep(600)\n")
    async with watching(desk):
        _, slow = await desk.next(whole=False)
    assert slow.ended_early
    assert slow.process is not None
    assert slow.process.returncode is not None


async def test_a_deleted_test_file_is_not_asked_for(desk: Desk) -> None:
    desk.write("pytest.ini", "[pytest]\n")
    desk.write("test_a.py", "def test_a(): assert 0\n")
    desk.write("test_b.py", "def test_b(): pass\n")
    async with watching(desk):
        await desk.next()
        (desk.root / "test_a.py").unlink()
        phase, run = await desk.next()
        assert phase == Phase("all")
        assert outcomes(run) == {"test_b.py::test_b": "passed"}
        assert run.report.status == 0
