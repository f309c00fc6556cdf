"""A debugger comes to the one port of an environment: breakpoints by host path, values, steps, leaving, returning."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import LAUNCH, attach_entry, attached, debugging, door, line_of
from tests.kit import rig
from tests.kit.command import run_as
from tests.kit.dap import DapClient
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]


def ended(site: Site, run: str) -> int | None:
    """The run's exit code, once it has ended."""

    def view() -> dict[str, object]:
        found: dict[str, object] = next(view for view in site.json("runs", "--all")["runs"] if view["id"] == run)
        assert found["ended"], found
        return found

    code = eventually(view, f"the end of {run}")["exit_code"]
    assert code is None or isinstance(code, int)
    return code


def test_a_program_waits_and_stops_where_the_host_path_says(studio: Site) -> None:
    studio.path(LAUNCH).unlink(missing_ok=True)
    source = studio.path("train.py")
    line = line_of(source, "total += loss")
    with studio.background("debug", "train.py", "one", "two") as program:
        eventually(lambda: "the program waits for it" in program.err, "the debugger")
        assert program.out == b""
        entry = attach_entry(studio)
        assert (entry["type"], entry["connect"]) == ("debugpy", {"host": "127.0.0.1", "port": door(studio)})
        assert studio.path(LAUNCH).stat().st_uid == studio.uid
        with attached(studio, {source: [line]}) as (client, placed):
            thread = client.stopped("breakpoint")["threadId"]
            assert [(found["verified"], found["line"]) for found in placed[str(source)]] == [(True, line)]
            assert studio.status()["debug"]["attached"]
            inner, outer, *_ = client.frames(thread)
            assert (inner["source"]["path"], inner["line"], inner["name"]) == (str(source), line, "step")
            assert client.variables(inner["id"]) == {"loss": "100", "number": "0", "total": "0"}
            assert client.variables(outer["id"])["total"] == "0"
            client.step_over(thread)
            inner = client.frames(thread)[0]
            assert inner["line"] == line + 1
            assert client.evaluate("total * 2", inner["id"]) == "200"
            client.resume(thread)
            assert client.stopped("breakpoint")
            client.breakpoints(source, [])
            client.resume(thread)
            client.event("terminated")
        assert program.wait() == 0
        assert program.out == b"total 297 one two\n"
        assert "to exist" not in program.err
        assert "Traceback" not in program.err


@pytest.mark.node
def test_microsofts_client_attaches_as_launch_json_says(studio: Site) -> None:
    source = studio.path("train.py")
    line = line_of(source, "total += loss")
    script = rig.ROOT / "tests/e2e/ide/attach.js"
    with debugging(studio, "train.py") as run:
        outcome = studio.shell.having(NODE_PATH=str(rig.state() / "node" / "node_modules")).run(
            "node", "-", studio.path(LAUNCH), studio.folder, source, str(line), "total + 1", stdin=script.read_text()
        )
        seen = outcome.ok().json()
        assert seen == {
            "verified": True,
            "at": [str(source), line],
            "locals": {"loss": "100", "number": "0", "total": "0"},
            "evaluated": "1",
            "next": line + 1,
        }
        assert ended(studio, run) == 0


def test_a_client_leaves_and_another_comes_back(studio: Site) -> None:
    source = studio.path("loop.py")
    line = line_of(source, "tick += 1")
    with debugging(studio, "loop.py") as run:
        ticks = []
        for _ in range(3):
            with attached(studio, {source: [line]}) as (client, placed):
                thread = client.stopped("breakpoint")["threadId"]
                assert placed[str(source)][0]["verified"]
                frame = client.frames(thread)[0]["id"]
                ticks.append(int(client.evaluate("tick", frame)))
                client.breakpoints(source, [])
                client.disconnect()
            assert not studio.status()["debug"]["waiting"]
        assert ticks == sorted(set(ticks)), "the program went on in between"
        with attached(studio, {source: [line]}) as (client, _):
            thread = client.stopped("breakpoint")["threadId"]
            client.evaluate("enough = True", client.frames(thread)[0]["id"])
            client.breakpoints(source, [])
            client.resume(thread)
            client.event("terminated")
        assert ended(studio, run) == 0
        studio.devenv("logs", run).ok().says("^enough$").silent_about("to exist")


def test_a_client_that_vanishes_leaves_the_program_alone(studio: Site) -> None:
    source = studio.path("loop.py")
    line = line_of(source, "tick += 1")
    with debugging(studio, "loop.py"):
        with attached(studio, {source: [line]}) as (client, _):
            client.stopped("breakpoint")
        # debugpy's adapter hangs when the next one comes within milliseconds, also without us in between.
        eventually(lambda: not studio.status()["debug"]["attached"], "the end of the connection")
        with attached(studio, {source: [line]}) as (client, _):
            client.stopped("breakpoint")


def test_a_second_program_takes_the_port(studio: Site) -> None:
    source = studio.path("loop.py")
    line = line_of(source, "tick += 1")
    with debugging(studio, "--no-wait", "loop.py", "first"):
        before = door(studio)
        with attached(studio, {source: [line]}) as (first, _), debugging(studio, "loop.py", "second"):
            thread = first.stopped("breakpoint")["threadId"]
            assert door(studio) == before
            with attached(studio, {source: [line]}) as (second, _):
                other = second.stopped("breakpoint")["threadId"]
                for client, number, name in ((first, thread, "first"), (second, other, "second")):
                    frame = client.frames(number)[0]["id"]
                    assert client.evaluate("sys.argv[1]", frame) == repr(name)
        # The second is over: the port leads to the first again.
        with attached(studio, {source: [line]}) as (again, _):
            thread = again.stopped("breakpoint")["threadId"]
            assert again.evaluate("sys.argv[1]", again.frames(thread)[0]["id"]) == "'first'"


@pytest.mark.parametrize(
    ("words", "file", "text", "expression", "value"),
    [
        (("--module", "package", "a", "b"), "package/__main__.py", "print(", "words", "['a', 'b']"),
        (("package",), "package/__main__.py", "print(", "words", "['named']"),
        (("train",), "train.py", "for number", "sys.argv[1:]", "['from', 'the', 'settings']"),
    ],
    ids=["module", "named-module", "named-script"],
)
def test_what_can_be_debugged(
    studio: Site, words: tuple[str, ...], file: str, text: str, expression: str, value: str
) -> None:
    source = studio.path(file)
    with (
        debugging(studio, *words) as run,
        attached(studio, {source: [line_of(source, text)]}) as (client, _),
    ):
        thread = client.stopped("breakpoint")["threadId"]
        assert client.evaluate(expression, client.frames(thread)[0]["id"]) == value
        client.breakpoints(source, [])
        client.resume(thread)
        client.event("terminated")
        assert ended(studio, run) == 0


def test_without_waiting_the_program_runs_at_once(studio: Site) -> None:
    outcome = studio.devenv("debug", "--no-wait", "short.py").failed(6)
    assert outcome.out == "over before anybody came\n"
    outcome.silent_about("to exist", "frozen modules")


def test_a_program_that_ends_before_a_debugger_came(studio: Site) -> None:
    studio.devenv("debug", "broken").failed(78).says("broken ended with exit code 7", "the licence server says no")


def test_what_cannot_be_debugged(studio: Site) -> None:
    studio.devenv("debug", "list").failed(78).says("'ls -l' is not a Python program", "devenv debug FILE.py")
    studio.devenv("debug", "trian.py").failed(66).says("train.py")
    assert not [view for view in studio.json("runs")["runs"] if view["ended"] is None]


def test_another_user_of_the_host_does_not_reach_the_debugger(studio: Site, bob: User) -> None:
    ask = (
        "import json, socket, sys\n"
        "body = json.dumps({'seq': 1, 'type': 'request', 'command': 'initialize', 'arguments': {}}).encode()\n"
        "try:\n"
        "    with socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=10) as s:\n"
        "        s.sendall(b'Content-Length: %d\\r\\n\\r\\n' % len(body) + body)\n"
        "        print('answer', s.recv(100))\n"
        "except ConnectionError:\n"
        "    print('answer', b'')\n"
    )
    with debugging(studio, "--no-wait", "loop.py"):
        words = ("python3", "-c", ask, str(door(studio)))
        assert run_as(bob, words, bob.home).ok().out == "answer b''\n"
        assert "Content-Length" in run_as(studio.shell.user, words, studio.folder).ok().out


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_stop_too(studio: Site, method: str) -> None:
    source = studio.path("children.py")
    with (
        debugging(studio, "children.py", method) as run,
        attached(studio, {source: [line_of(source, "return answer")]}) as (client, _),
    ):
        child, stop = client.stopped_child()
        thread = stop["threadId"]
        assert child.evaluate("answer", child.frames(thread)[0]["id"]) == "42"
        child.resume(thread)
        client.event("terminated")
        assert ended(studio, run) == 0
        studio.devenv("logs", run).ok().says(r"answers \[42\]")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_are_left_alone_when_asked(studio: Site, method: str) -> None:
    source = studio.path("children.py")
    with (
        debugging(studio, "--no-subprocess", "children.py", method) as run,
        attached(studio, {source: [line_of(source, "__main__")]}) as (client, _),
    ):
        thread = client.stopped("breakpoint")["threadId"]
        client.resume(thread)
        client.event("terminated")
        assert client.children == []
        assert ended(studio, run) == 0


def test_the_ports_table_names_the_debugger(studio: Site) -> None:
    with debugging(studio, "--no-wait", "loop.py"):
        (view,) = (view for view in studio.json("ports")["ports"] if view["label"] == "debugger")
        assert view["host_port"] == door(studio)
        with DapClient(view["host_port"]) as client:
            client.initialize()
        text = studio.path(LAUNCH).read_text()
        assert re.search(rf'"port": {view["host_port"]}\b', text)
        assert json.loads(text)["version"] == "0.2.0"
