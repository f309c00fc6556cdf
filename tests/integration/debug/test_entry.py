"""A debugger that comes into a program's own processes as they start or fail, for every interpreter at hand."""

from __future__ import annotations

import asyncio
import os
import pathlib
import sys

import pytest

from devenv.debug import pass_through
from devenv.debug.cache import DebugpyCache
from devenv.debug.delivery import Delivery
from devenv.debug.entry import plan as entry
from devenv.debug.sessions import DebugSessions
from devenv.debug.spec import DebugOptions, endpoints_path
from devenv.runs.spec import Program, ProgramKind, RunSpec
from tests.integration.debug.interpreters import interpreter
from tests.integration.debug.local_link import LocalLink
from tests.integration.debug.test_interpreters import drain, record
from tests.kit.dap import DapClient

MINORS = ("3.6", "3.8", "3.11", "3.12", "3.13", "3.14")
"""Where debugpy, or the way in which it traces, is another one."""

FAILS = """import sys, threading

def divide(parts):
    whole = 7
    return whole / parts

print("traced", sys.gettrace() is not None, "debugpy" in sys.modules, flush=True)
%s
divide(0)
"""
LAUNCHER = """import os, subprocess, sys

def rank(number):
    env = dict(os.environ, RANK=str(number), LOCAL_RANK=str(number), LOCAL_WORLD_SIZE="2")
    return subprocess.Popen([sys.executable, "-u", "worker.py", "word"], env=env)

print("launcher", os.environ.get("PYTHONPATH", "").count("debug-entry"), "debugpy" in sys.modules, flush=True)
sys.exit(max(worker.wait() for worker in [rank(0), rank(1)]))
"""
WORKER = """import os, subprocess, sys
number = int(os.environ["RANK"])
child = subprocess.check_output([sys.executable, "-c", "import os; print('DEVENV_ENTRY' in os.environ)"])
print(number, sys.argv[1:], child.decode().strip(), flush=True)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> DebugpyCache:
    return DebugpyCache(tmp_path_factory.mktemp("debugpy-cache"))


class Entered:
    """A run with its sessions found out as they come."""

    def __init__(self, folder: pathlib.Path, cache: DebugpyCache, python: str) -> None:
        self.folder = folder
        self.link = LocalLink(folder / "state")
        self.sessions = DebugSessions()
        self.sessions.set_link(self.link)
        self._delivery = Delivery(cache, None)
        self._python = python

    async def start(self, words: list[str], wanted: entry.Wanted, **env: str) -> None:
        full = {"PATH": os.environ["PATH"], **env}
        found = await self._delivery.interpreter(self.link, self._python, env=full, cwd=str(self.folder))
        program = Program(ProgramKind.COMMAND, words[0], tuple(words[1:]))
        spec = RunSpec("train", "debug", program, full, str(self.folder), program.argv)
        spec = entry.entry_spec(
            spec,
            wanted,
            interpreter=found,
            entry=await self._delivery.place(self.link, *entry.payload()),
            debugpy=await self._delivery.debugpy(self.link, found),
            proxy=await self._delivery.place(self.link, *pass_through.payload()),
            endpoints=endpoints_path(self.link.hello.state_dir),
            door="the door",
            options=DebugOptions(),
        )
        self.channel = await self.link.spawn(spec.argv, env=spec.env, cwd=spec.cwd)
        self.output = asyncio.ensure_future(drain(self.channel))
        self.sessions.update([record(spec, "r1")])

    async def come(self, count: int) -> list[tuple[str, int]]:
        """(name, port) of each session, once there are so many."""
        async with asyncio.timeout(60):
            while len(self.sessions.of_run("r1")) < count:
                await self.sessions.find_members("r1")
                await asyncio.sleep(0.05)
            await self.sessions.all_ready("r1")
        return [(session.name, session.port or 0) for session in self.sessions.of_run("r1")]


def at_exception(port: int) -> tuple[str, dict[str, str], str]:
    with DapClient(port) as client:
        client.attach({})
        stop = client.stopped("exception")
        frame = client.frames(stop["threadId"])[0]
        found = client.variables(frame["id"])
        text = client.request("exceptionInfo", threadId=stop["threadId"])["description"]
        client.resume(stop["threadId"])
        client.disconnect()
        return frame["name"], found, text


@pytest.mark.parametrize("minor", MINORS)
async def test_an_exception_waits_with_its_frames(minor: str, cache: DebugpyCache, tmp_path: pathlib.Path) -> None:
    python = interpreter(minor)
    (tmp_path / "train.py").write_text(FAILS % "")
    run = Entered(tmp_path, cache, python)
    await run.start([python, "train.py"], entry.Wanted(entry.POST_MORTEM))
    ((name, port),) = await run.come(1)
    where, variables, text = await asyncio.to_thread(at_exception, port)
    assert (name, where, variables["parts"], variables["whole"]) == ("train", "divide", "0", "7")
    assert "division by zero" in text
    out, err = await run.output
    assert out == "traced False False\n"
    assert run.channel.result == {"exit": 1}, err
    assert err.count("ZeroDivisionError: division by zero") == 1
    assert "devenv: an exception that nobody caught (ZeroDivisionError) waits for a debugger at the door" in err


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ("sys.excepthook = lambda *a: print('their hook', a[0].__name__)", "their hook ZeroDivisionError"),
        (
            "before = sys.excepthook\nsys.excepthook = lambda *a: (before(*a), print('chained'))",
            "chained",
        ),
        ("t = threading.Thread(target=divide, args=(0,)); t.start(); t.join(); sys.exit(0)", ""),
    ],
    ids=["a hook of the program's", "a hook that calls the one before", "a thread"],
)
async def test_hooks_and_threads(line: str, calls: str, cache: DebugpyCache, tmp_path: pathlib.Path) -> None:
    (tmp_path / "train.py").write_text(FAILS % line)
    run = Entered(tmp_path, cache, sys.executable)
    await run.start([sys.executable, "train.py"], entry.Wanted(entry.POST_MORTEM))
    ((_, port),) = await run.come(1)
    where, _, _ = await asyncio.to_thread(at_exception, port)
    assert where == "divide"
    out, err = await run.output
    assert calls in out
    assert run.channel.result == {"exit": 1 if calls else 0}, err


@pytest.mark.parametrize("ending", ["sys.exit(4)", "raise SystemExit('enough')", "raise KeyboardInterrupt", "pass"])
async def test_an_ordinary_end_waits_for_nobody(ending: str, cache: DebugpyCache, tmp_path: pathlib.Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("print('their own sitecustomize')\n")
    (tmp_path / "train.py").write_text(
        f"import sys, subprocess\nsubprocess.call([sys.executable, 'no.py'])\n{ending}\n"
    )
    (tmp_path / "no.py").write_text("raise RuntimeError('a probe that fails')\n")
    run = Entered(tmp_path, cache, sys.executable)
    await run.start([sys.executable, "train.py"], entry.Wanted(entry.POST_MORTEM), PYTHONPATH=str(tmp_path / "own"))
    out, err = await run.output
    assert out.count("their own sitecustomize") == 2
    assert "waits for a debugger" not in err and "a probe that fails" in err
    assert await run.sessions.find_members("r1") == []


@pytest.mark.parametrize("minor", MINORS)
async def test_each_rank_is_a_session(minor: str, cache: DebugpyCache, tmp_path: pathlib.Path) -> None:
    python = interpreter(minor)
    (tmp_path / "launch.py").write_text(LAUNCHER)
    (tmp_path / "worker.py").write_text(WORKER)
    run = Entered(tmp_path, cache, python)
    await run.start(["/bin/sh", "-c", f"{python} launch.py"], entry.Wanted(entry.RANKS, (1,)))
    ((name, port),) = await run.come(1)
    assert name == "train rank 1"

    def drive() -> tuple[str, str]:
        with DapClient(port) as client:
            client.attach({tmp_path / "worker.py": [4]})
            stop = client.stopped("breakpoint")
            frame = client.frames(stop["threadId"])[0]
            found = client.evaluate("number", frame["id"]), client.evaluate("sys.argv[1:]", frame["id"])
            client.resume(stop["threadId"])
            client.event("terminated")
            client.disconnect()
            return found

    assert await asyncio.to_thread(drive) == ("1", "['word']")
    out, err = await run.output
    assert sorted(out.splitlines()) == ["0 ['word'] False", "1 ['word'] False", "launcher 1 False"], err
    assert run.channel.result == {"exit": 0}
