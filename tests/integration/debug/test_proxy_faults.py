"""The pass-through when a client or debugpy itself goes wrong: the program goes on, or stays where the next one can go
on with it. Nobody is left waiting."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import time

import pytest

from tests.integration.debug.debuggee import LOOP, Debuggee, Start, begin
from tests.kit.dap import DapClient, RequestFailed
from tests.kit.waiting import eventually


def stop(program: Debuggee, client: DapClient) -> int:
    """Attaches and stops in `double`; the thread."""
    begin(client, {str(program.folder / "program.py"): [4]})
    return int(client.stopped("breakpoint")["threadId"])


def let_go(program: Debuggee) -> None:
    """The next client goes on where the one before it left the program, and leaves."""
    with program.client() as client:
        thread = stop(program, client)
        assert client.frames(thread)[0]["line"] == 4
        client.breakpoints(str(program.folder / "program.py"), [])
        client.disconnect()


def adapter_of(program: Debuggee) -> int:
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if b"debugpy/adapter" in (path / "cmdline").read_bytes() and (path / "cwd").samefile(program.folder):
                return int(path.name)
        except OSError:
            continue
    raise AssertionError("there is no adapter")


def closed(sock: socket.socket) -> bool:
    sock.settimeout(20)
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_a_client_that_never_says_anything_is_in_nobodys_way(start: Start) -> None:
    program = start(LOOP)
    with socket.create_connection(("127.0.0.1", program.port)) as silent:
        with program.client() as client:
            stop(program, client)
            client.breakpoints(str(program.folder / "program.py"), [])
            client.disconnect()
        assert program.end() == "went on to the end\n"
        assert closed(silent)


def test_a_client_that_says_everything_twice_has_one_session(start: Start) -> None:
    program = start(LOOP)
    with program.client() as client:
        thread = stop(program, client)
        client.initialize()
        with pytest.raises(RequestFailed, match="already"):
            client.request("attach")
        assert client.frames(thread)[0]["line"] == 4
    eventually(lambda: program.status["held"], "the program to be held")
    let_go(program)
    eventually(lambda: program.status["clients"] == 0, "the client to be gone")
    program.end()


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b'Content-Length: 400\r\n\r\n{"seq": 9,'])
def test_nonsense_and_half_a_message_in_a_session_leave_the_program_stopped(start: Start, said: bytes) -> None:
    program = start(LOOP)
    with program.client() as client:
        stop(program, client)
        client._socket.sendall(said)
        client._socket.shutdown(socket.SHUT_WR)
        assert closed(client._socket)
    eventually(lambda: program.status["held"], "the program to be held")
    let_go(program)
    program.end()


@pytest.mark.parametrize("attaches", [False, True])
def test_a_client_that_vanishes_before_it_is_attached_makes_room_for_the_next(start: Start, attaches: bool) -> None:
    program = start(LOOP)
    with program.client() as client:
        client.send("initialize", {"clientID": "hasty", "adapterID": "debugpy"})
        if attaches:
            client.answer(1, "initialize")
            client.send("attach")
    time.sleep(0.3)  # nobody is hastier than that
    with program.client() as client:
        stop(program, client)
        client.breakpoints(str(program.folder / "program.py"), [])
        client.disconnect()
    program.end()


def test_a_killed_adapter_takes_the_debugger_along_and_nothing_else(start: Start) -> None:
    program = start(LOOP)
    with program.client() as client:
        stop(program, client)
        os.kill(adapter_of(program), signal.SIGKILL)
        said = client.event("output", lambda body: body.get("output", "").startswith("devenv: "))["output"]
        assert said == "devenv: debugpy's adapter has ended, and the program goes on without it\n"
        client.event("terminated")
        with pytest.raises(RequestFailed, match="the program goes on"):
            client.request("threads")
        client.request("disconnect")
    with program.client() as late, pytest.raises(RequestFailed, match="the program goes on"):
        late.initialize()
    assert program.end() == "went on to the end\n"


@pytest.mark.parametrize("halfway", [False, True])
def test_an_adapter_that_is_killed_before_the_program_was_let_go(start: Start, halfway: bool) -> None:
    program = start(LOOP)
    with program.client() as client:
        if halfway:
            client.initialize()
            client.send("attach")
            client.event("initialized")
        os.kill(adapter_of(program), signal.SIGKILL)
        if halfway:
            client.event("terminated")
    assert program.end() == "went on to the end\n"


def test_lines_that_were_changed_since_the_start_are_told(start: Start) -> None:
    program = start(LOOP)
    source = program.folder / "program.py"
    with program.client() as client:
        os.utime(source, (time.time() + 60,) * 2)
        (placed,) = begin(client, {str(source): [4]})
        assert "changed after the program started" in placed["message"]
        said = client.event("output", lambda body: "changed after" in body.get("output", ""))["output"]
        assert said.startswith("devenv: breakpoint program.py:4: ")
        client.stopped("breakpoint")
        client.breakpoints(str(source), [])
        client.disconnect()
    program.end()
