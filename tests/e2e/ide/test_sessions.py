"""Several debuggers at once, clients that know only a port, and clients that go without a word."""

from __future__ import annotations

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import debugging, door, line_of
from tests.kit.dap import DapClient
from tests.kit.waiting import eventually

POOL = """import multiprocessing

def work(x):
    return x * 2

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print("pool", pool.map(work, range(4)))
"""

pytestmark = [pytest.mark.engine, pytest.mark.users]


def bare(client: DapClient, breakpoints: dict[str, list[int]]) -> int:
    """Attaches with a port and nothing else, and stops at a breakpoint; the thread."""
    client.initialize()
    attach = client.send("attach")
    client.event("initialized")
    for path, lines in breakpoints.items():
        assert client.breakpoints(path, lines)[0]["verified"]
    client.request("configurationDone")
    client.answer(attach, "attach")
    return int(client.stopped("breakpoint")["threadId"])


def test_two_at_once_have_ports_of_their_own_and_the_door_goes_where_it_is_told(studio: Site) -> None:
    source = str(studio.path("loop.py"))
    lines = {source: [line_of(studio.path("loop.py"), "tick += 1")]}
    with debugging(studio, "--name", "first", "loop.py"), debugging(studio, "--name", "second", "loop.py"):
        listed = {view["name"]: view for view in studio.json("debug", "--list")["sessions"]}
        ports = {name: view["port"] for name, view in listed.items()}
        assert set(ports) == {"first", "second"} and len({*ports.values(), door(studio)}) == 3
        assert [name for name, view in listed.items() if view["chosen"]] == ["second"]
        for port in ports.values():
            with DapClient(port) as client:
                thread = bare(client, lines)
                frame = client.frames(thread)[0]
                assert frame["source"]["path"] == source
                client.breakpoints(source, [])
                client.disconnect()
        studio.devenv("debug", "--select", "first").ok().says(r"^\* +first ")
        with DapClient(door(studio)) as client:
            thread = bare(client, lines)
            client.evaluate("globals().__setitem__('mark', 'first')", client.frames(thread)[0]["id"])
            client.breakpoints(source, [])
            client.disconnect()
        with DapClient(ports["first"]) as client:
            thread = bare(client, lines)
            assert client.evaluate("mark", client.frames(thread)[0]["id"]) == "'first'"
            client.breakpoints(source, [])
            client.disconnect()
        studio.devenv("debug", "--select", "third").failed(66).says("no debug session is called third", "first, second")
    with debugging(studio, "--name", "first", "loop.py"):
        (again,) = studio.json("debug", "--list")["sessions"]
        assert (again["name"], again["port"], again["state"]) == ("first", ports["first"], "waiting")
    assert studio.devenv("debug", "--list").ok().out.startswith("nothing is debugged")


def test_a_client_that_vanishes_leaves_it_stopped_and_the_list_says_where(studio: Site) -> None:
    source = str(studio.path("loop.py"))
    line = line_of(studio.path("loop.py"), "tick += 1")
    with debugging(studio, "loop.py"):
        with DapClient(door(studio)) as client:
            bare(client, {source: [line]})
        eventually(lambda: studio.json("debug", "--list")["sessions"][0]["at"], "the program to be left")
        (view,) = studio.json("debug", "--list")["sessions"]
        assert (view["state"], view["at"]) == ("left", f"{source}:{line}")
        studio.kill_supervisor()
        with DapClient(door(studio)) as client:
            thread = bare(client, {source: [line]})
            assert client.frames(thread)[0]["line"] == line
            client.breakpoints(source, [])
            client.disconnect()
        assert studio.json("debug", "--list")["sessions"][0]["state"] in ("running", "waiting")


def test_children_that_no_client_claims_run(studio: Site) -> None:
    studio.write("pool.py", POOL)
    with debugging(studio, "pool.py"), DapClient(door(studio)) as client:
        client._adopt = lambda configuration: None  # type: ignore[method-assign]  # what many clients do
        client.initialize()
        attach = client.send("attach")
        client.event("initialized")
        client.request("configurationDone")
        client.answer(attach, "attach")
        eventually(lambda: "pool [0, 2, 4, 6]" in studio.devenv("logs", "pool.py").out, "the end of the pool", 60)
