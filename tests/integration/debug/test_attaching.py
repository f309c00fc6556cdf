"""debugpy brought into running programs of every interpreter at hand, and how they are afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from devenv.debug.attach.attaching import Attached, Attacher, Order, by_link
from devenv.debug.cache import DebugpyCache
from devenv.debug.delivery import Delivery
from devenv.debug.endpoints import read_endpoints
from devenv.errors import DebugError, NotFound
from tests.integration.debug.interpreters import interpreter
from tests.integration.debug.local_link import LocalLink
from tests.kit.dap import DapClient
from tests.kit.waiting import eventually

# The others are attached to in containers (tests/e2e/ide) and entered in test_entering.
MINORS = ("3.6", "3.7", "3.8", "3.10", "3.12")

# A thread of its own counts; the main one computes. Ends when `enough` is set.
PROGRAM = """\
import os, subprocess, sys, threading, time

enough = False
ticks = 0


def turn(number):
    number += 1
    return number


def child():
    pid = os.fork()
    if pid == 0:
        os._exit(turn(3))
    code = os.waitpid(pid, 0)[1] >> 8
    said = subprocess.run([sys.executable, "-c", "print(40 + 2)"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return code, said.stdout.decode().strip(), said.stderr.decode()


def counts():
    global ticks
    while not enough:
        ticks = turn(ticks)
        time.sleep(0.001)


thread = threading.Thread(target=counts)
thread.start()
tick = 0
children = None
while not enough:
    tick = turn(tick)
thread.join()
print(child(), threading.main_thread().ident == threading.get_ident())
sys.exit(43)
"""

ENOUGH = "setattr(__import__('__main__'), 'enough', True)"


@contextlib.contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> DebugpyCache:
    return DebugpyCache(tmp_path_factory.mktemp("debugpy-cache"))


class Place:
    """Attaches over a link to this machine."""

    def __init__(self, state: pathlib.Path, cache: DebugpyCache) -> None:
        self.link = LocalLink(state)
        self.attacher = Attacher()
        self._delivery = Delivery(cache, None)

    async def attach(self, process: subprocess.Popen[str]) -> Attached:
        return await self.attacher.attach(
            Order(process.pid, f"it (process {process.pid})"),
            link=self.link,
            delivery=self._delivery,
            elevated=by_link(self.link),
        )


@pytest.fixture
def place(tmp_path: pathlib.Path, cache: DebugpyCache) -> Place:
    return Place(tmp_path, cache)


def visit(port: int, script: pathlib.Path, line: int, say: str = "") -> None:
    """A client comes, stops at the line, says something there, leaves."""
    with DapClient(port) as client:
        placed = client.attach({script: [line]})
        assert placed[str(script)][0]["verified"]
        stop = client.stopped("breakpoint")["threadId"]
        frame = client.frames(stop)[0]
        assert (frame["source"]["path"], frame["line"]) == (str(script), line)
        client.breakpoints(script, [])
        if say:
            client.evaluate(say, frame["id"])
        client.disconnect()


@pytest.mark.parametrize("minor", MINORS)
async def test_a_program_is_debugged_left_and_debugged_again(minor: str, place: Place, tmp_path: pathlib.Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    lines = PROGRAM.splitlines()
    main, turn = lines.index("    tick = turn(tick)") + 1, lines.index("    number += 1") + 1
    with started(interpreter(minor), str(script)) as process:
        eventually(lambda: pathlib.Path(f"/proc/{process.pid}/task").exists(), "it")
        attached = await place.attach(process)
        assert attached.port is not None
        assert await read_endpoints(place.link, attached.endpoints) == attached.port
        await asyncio.to_thread(visit, attached.port, script, turn)
        again = await place.attach(process)
        assert (again.way, again.endpoints) == ("already", attached.endpoints)
        await asyncio.to_thread(visit, attached.port, script, main, ENOUGH)
        out, err = await asyncio.to_thread(process.communicate, None, 30)
        # Its children are free of the debugger again, and nothing of it was ever printed.
        assert out == "(4, '42', '') True\n"
        assert [
            line for line in err.splitlines() if "fork() may lead to deadlocks" not in line and line[:1] != " "
        ] == []
        assert process.returncode == 43
    eventually(lambda: not pathlib.Path(attached.endpoints).exists(), "the adapter's end")


async def test_a_program_that_debugs_itself(place: Place) -> None:
    code = "import debugpy, time; debugpy.listen(('127.0.0.1', 0)); print('here', flush=True); time.sleep(60)"
    with started(sys.executable, "-Xfrozen_modules=off", "-c", code) as process:
        assert process.stdout is not None and process.stdout.readline() == "here\n"
        with pytest.raises(DebugError, match="debugger of its own"):
            await place.attach(process)
        assert process.poll() is None


async def test_a_program_that_keeps_the_lock_in_c(place: Place) -> None:
    code = (
        "import ctypes, sys; print('here', flush=True); ctypes.PyDLL(None).sleep(11)\n"
        "sys.stdin.readline(); print('done', flush=True); sys.exit(43)"
    )
    with started(sys.executable, "-c", code) as process:
        assert process.stdout is not None and process.stdout.readline() == "here\n"
        attached = await place.attach(process)
        assert attached.waits
        assert "C code" in attached.notes[0]
        port = await read_endpoints(place.link, attached.endpoints)
        assert port is not None
        with await asyncio.to_thread(DapClient, port) as client:
            await asyncio.to_thread(client.attach)  # once the program is back
            await asyncio.to_thread(client.disconnect)
        out, _ = await asyncio.to_thread(process.communicate, "\n", 30)
        assert (process.returncode, out) == (43, "done\n")


async def test_what_is_no_python_and_what_has_ended(place: Place) -> None:
    with started("/bin/sleep", "60") as process:
        with pytest.raises(DebugError, match="no Python program"):
            await place.attach(process)
        assert process.poll() is None
        process.kill()
        process.wait()
        with pytest.raises(NotFound, match="has ended"):
            await place.attach(process)


async def test_python_2_is_told_no(place: Place) -> None:
    with started(interpreter("2.7"), "-c", "import time; time.sleep(60)") as process:
        with pytest.raises(DebugError, match=r"runs Python 2\.7"):
            await place.attach(process)
        assert process.poll() is None
