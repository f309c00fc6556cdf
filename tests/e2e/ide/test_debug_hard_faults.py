"""The debugger through its whole door, from the host, when parts of the way are killed, held or not there yet."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import attached, debugging, door, line_of
from tests.kit.dap import DapClient, RequestFailed
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

ENOUGH = "globals().__setitem__('enough', True)"

# Ends without a debugger's help.
UNTIL = """\
import pathlib
import sys
import time

tick = 0
while not pathlib.Path("stop.txt").exists():
    tick += 1
    time.sleep(0.01)
print("the end")
sys.exit(5)
"""

# Answers as Python 2 would.
PYTHON_2 = """\
#!/bin/sh
printf '%s\\n' '{"executable": "/usr/bin/python2", "version": [2, 7, 18], "machine": "x86_64",
 "libc": "glibc 2.36", "implementation": "cpython"}' | tr -d '\\n'
"""


@contextlib.contextmanager
def tier(site: Site, name: str) -> Iterator[None]:
    site.devenv("up", "--tier", name).ok()
    try:
        assert site.view()["tier"] == name
        yield
    finally:
        site.devenv("up", "--tier", "auto").ok()


def stop_in_loop(site: Site, client: DapClient) -> tuple[int, int]:
    """(thread, frame) of the stop that the client's breakpoint brings."""
    thread = client.stopped("breakpoint")["threadId"]
    frame = client.frames(thread)[0]
    assert frame["line"] == line_of(site.path("loop.py"), "tick += 1")
    return thread, frame["id"]


def to_the_end(site: Site, client: DapClient, thread: int, frame: int) -> None:
    """The same session goes on: a value, a step, and on to the program's own end."""
    tick = int(client.evaluate("tick", frame))
    client.step_over(thread)
    frame = client.frames(thread)[0]["id"]
    assert int(client.evaluate("tick", frame)) == tick + 1
    client.breakpoints(site.path("loop.py"), [])
    client.evaluate(ENOUGH, frame)
    client.resume(thread)
    client.event("terminated")


def ended(site: Site, run: str) -> tuple[str, int | None, str]:
    """(state, exit code, output), once it has ended."""

    def record() -> dict[str, object]:
        found: dict[str, object] = next(view for view in site.json("runs", "--all")["runs"] if view["id"] == run)
        assert found["ended"], found
        return found

    found = eventually(record, f"the end of {run}")
    code = found["exit_code"]
    assert code is None or isinstance(code, int)
    return str(found["state"]), code, site.devenv("logs", run).ok().out


def lines(site: Site) -> dict[str | os.PathLike[str], list[int]]:
    return {site.path("loop.py"): [line_of(site.path("loop.py"), "tick += 1")]}


def test_a_program_that_prints_nothing(studio: Site) -> None:
    studio.write("quiet.py", "total = sum(range(9))\n")
    with studio.background("debug", "quiet.py") as program:
        eventually(lambda: "the program waits for it" in program.err, "the debugger")
        with attached(studio) as (client, _):
            client.event("terminated")
        assert program.wait() == 0
        assert program.out == b""
        assert [line for line in program.err.splitlines() if not line.startswith("devenv: ")] == []
    assert studio.runs()["quiet.py"]["state"] == "exited"


def test_a_client_that_comes_before_there_is_a_program_is_sent_away_at_once(studio: Site) -> None:
    with debugging(studio, "loop.py"):
        port = door(studio)
    with pytest.raises((AssertionError, OSError), match=r"closed|[Rr]eset|[Bb]roken"), DapClient(port) as early:
        early.initialize()
    with studio.background("debug", "loop.py"):
        deadline = time.monotonic() + 30
        while True:  # some come while the program starts
            client = None
            try:
                client = DapClient(port)
                client.initialize()
                break
            except (AssertionError, OSError):
                if client is not None:
                    client.close()
                assert time.monotonic() < deadline
                time.sleep(0.005)
        with client:
            attach = client.send("attach")
            client.event("initialized")
            for path, wanted in lines(studio).items():
                client.breakpoints(str(path), wanted)
            client.request("configurationDone")
            client.answer(attach, "attach")
            to_the_end(studio, client, *stop_in_loop(studio, client))


def test_a_value_of_fifty_megabytes_comes_through_the_door(studio: Site) -> None:
    with debugging(studio, "loop.py") as run, attached(studio, lines(studio)) as (client, _):
        thread, frame = stop_in_loop(studio, client)
        assert large(client, "'x' * 50_000_000", frame) == b"x" * 50_000_000
        to_the_end(studio, client, thread, frame)
        assert ended(studio, run) == ("exited", 0, "enough\n")


def large(client: DapClient, expression: str, frame: int) -> bytes:
    """The string that it evaluates to. The kit's own reader is made for small messages."""
    arguments = {"expression": expression, "frameId": frame, "context": "clipboard"}
    number = client.send("evaluate", arguments)
    client._socket.settimeout(30)
    received = bytearray(client._received)

    def more() -> None:
        piece = client._socket.recv(1 << 20)
        assert piece, "the connection was closed"
        received.extend(piece)

    while True:
        while (end := received.find(b"\r\n\r\n")) < 0:
            more()
        length = int(received[:end].split()[1])
        while len(received) < end + 4 + length:
            more()
        body = bytes(received[end + 4 : end + 4 + length])
        del received[: end + 4 + length]
        if b'"request_seq": %d,' % number in body[:200]:
            client._received = bytes(received)
            return body.partition(b'"result": "\'')[2].partition(b"'")[0]


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "running"])
def test_the_adapter_is_killed_and_the_program_goes_on_to_its_own_end(studio: Site, stopped: bool) -> None:
    studio.write("until.py", UNTIL)
    source = studio.path("until.py")
    with debugging(studio, "until.py") as run:
        with attached(studio, {source: [line_of(source, "tick += 1")]}) as (client, _):
            thread = client.stopped("breakpoint")["threadId"]
            if not stopped:
                client.breakpoints(source, [])
                client.resume(thread)
            studio.exec("pkill", "-9", "-f", "debugpy/adapter").ok()
            client.event("output", lambda body: "the program goes on without it" in body.get("output", ""))
            client.event("terminated")
        with DapClient(door(studio)) as late, pytest.raises(RequestFailed, match="the program goes on without it"):
            late.initialize()
        assert studio.runs()["until.py"]["state"] == "running"
        studio.write("stop.txt", "")
        try:
            assert ended(studio, run) == ("exited", 5, "the end\n")
        finally:
            studio.path("stop.txt").unlink()


def test_the_container_is_paused_at_a_breakpoint(studio: Site) -> None:
    """Longer than the link's patience with a silent agent (15 seconds, counted anew while the engine says that the
    container is paused); nothing else in between has a time limit, so that an hour is like these seconds. On the
    stream tier, because there all that the client says goes through that link."""
    with tier(studio, "stream"), debugging(studio, "loop.py") as run:
        with attached(studio, lines(studio)) as (client, _):
            thread, frame = stop_in_loop(studio, client)
            agents = studio.agents()
            studio.docker("pause", studio.container())
            try:
                time.sleep(22)  # 15, and what is left of a beat of 5
            finally:
                studio.docker("unpause", studio.container())
            to_the_end(studio, client, thread, frame)
            assert studio.agents() == agents
        assert ended(studio, run) == ("exited", 0, "enough\n")


def test_the_link_is_cut_at_a_breakpoint(studio: Site) -> None:
    """On the stream tier, where the client's connection ends with the agent."""
    with tier(studio, "stream"), debugging(studio, "loop.py") as run:
        with attached(studio, lines(studio)) as (client, _):
            _thread, frame = stop_in_loop(studio, client)
            tick = client.evaluate("tick", frame)
            for pid in studio.agents():
                os.kill(pid, signal.SIGKILL)
            with pytest.raises((AssertionError, OSError)):
                client.event("never", timeout=20)
        where = f"{studio.path('loop.py')}:{line_of(studio.path('loop.py'), 'tick += 1')}"
        eventually(lambda: studio.json("debug", "--list")["sessions"][0]["at"] == where, "the program to be left")
        assert studio.runs()["loop.py"]["state"] == "running"
        with attached(studio, lines(studio)) as (client, _):
            thread, frame = stop_in_loop(studio, client)
            assert client.evaluate("tick", frame) == tick
            to_the_end(studio, client, thread, frame)
        assert ended(studio, run) == ("exited", 0, "enough\n")


def test_the_agent_is_killed_at_a_breakpoint_of_the_direct_tier(studio: Site) -> None:
    """There the client's connection does not pass the agent, and its session goes on."""
    with tier(studio, "direct"), debugging(studio, "loop.py") as run:
        with attached(studio, lines(studio)) as (client, _):
            thread, frame = stop_in_loop(studio, client)
            for pid in studio.agents():
                os.kill(pid, signal.SIGKILL)
            to_the_end(studio, client, thread, frame)
        assert ended(studio, run) == ("exited", 0, "enough\n")


def test_python_2_is_told_no(studio: Site) -> None:
    studio.write("python2", PYTHON_2).chmod(0o755)
    before = studio.path("devenv.yaml").read_text()
    try:
        studio.write("devenv.yaml", before + "  old: {script: train.py, python: ./python2}\n")
        studio.devenv("debug", "old").failed(78).says(r"Python 2\.7\.18")
    finally:
        studio.write("devenv.yaml", before)
    assert "old" not in studio.runs()
