"""The pass-through in front of a real debugpy: what clients that know less, or behave worse, than VS Code get."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Any

import pytest

from tests.integration.debug.debuggee import LOOP, Start, begin
from tests.kit.dap import RequestFailed
from tests.kit.waiting import eventually

WORKERS = """import multiprocessing, subprocess, sys

def work(x):
    y = x * 2
    return y

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print("pool", pool.map(work, range(4)), flush=True)
    print("child", subprocess.check_output([sys.executable, "-c", "breakpoint(); print(7)"]).split(), flush=True)
"""


def test_a_port_is_all_that_a_client_needs(start: Start) -> None:
    program = start(LOOP)
    with program.client(port=23456, local="/home/me/project", remote=str(program.folder)) as client:
        placed = begin(client, {"/home/me/project/program.py": [4]})
        assert placed[0]["verified"]
        thread = client.stopped("breakpoint")["threadId"]
        (frame, _) = client.frames(thread)
        assert frame["source"]["path"] == "/home/me/project/program.py"
        assert client.evaluate("x * 0 + 3", frame["id"]) == "3"
        eventually(lambda: program.status["stopped"], "the stop to be noted")
        assert program.status == {"clients": 1, "stopped": 1, "held": False, "at": None, "children": {}}
        client.breakpoints("/home/me/project/program.py", [])
        client.disconnect()
    eventually(lambda: program.status["clients"] == 0, "the client to be gone")
    assert program.end() == "went on to the end\n"


def test_launch_attaches(start: Start) -> None:
    program = start(LOOP)
    with program.client() as client:
        client.initialize()
        launch = client.send("launch", {"program": "/x.py", "console": "integratedTerminal"})
        client.event("initialized")
        client.request("configurationDone")
        client.answer(launch, "launch")
        client.disconnect()
    program.end()


def test_a_client_that_vanishes_while_stopped_leaves_it_stopped(start: Start) -> None:
    program = start(LOOP)
    path = str(program.folder / "program.py")
    with program.client() as client:
        begin(client, {path: [4]})
        client.stopped("breakpoint")
    eventually(lambda: program.status["held"] and program.status["at"], "the program to be held")
    assert program.status["at"] == {"path": path, "line": 4, "function": "double"}
    with program.client() as another:
        begin(another, {path: [4]})
        thread = another.stopped("breakpoint")["threadId"]
        assert another.frames(thread)[0]["line"] == 4
        assert another.step_over(thread)["threadId"] == thread
        assert another.frames(thread)[0]["line"] == 5
        another.breakpoints(path, [])
        another.disconnect()
    program.end()


def test_a_client_that_vanishes_while_it_runs_takes_its_breakpoints_along(start: Start) -> None:
    program = start(LOOP)
    with program.client() as client:
        path = str(program.folder / "program.py")
        begin(client, {path: [4]})
        thread = client.stopped("breakpoint")["threadId"]  # by now it runs: debugpy waits for the next client before
        client.breakpoints(path, [8])
        client.resume(thread)
        client.stopped("breakpoint")
        client.breakpoints(path, [10_000])
        client.resume(thread)
    eventually(lambda: program.status["clients"] == 0, "the client to be gone")
    assert program.end() == "went on to the end\n"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_that_nobody_claims_run(start: Start, method: str) -> None:
    """With a breakpoint in their code, and with breakpoint() in one of them."""
    program = start(WORKERS, method, proxy=("--patience", "0.5"))
    with program.client() as client:
        client._adopt = lambda configuration: None  # type: ignore[method-assign]  # what many clients do
        begin(client, {str(program.folder / "program.py"): [4]})
        assert program.end() == "pool [0, 2, 4, 6]\nchild [b'7']\n"


@pytest.mark.parametrize("claims", [True, False])
def test_children_that_a_client_claims_are_its_own(start: Start, claims: bool) -> None:
    program = start(WORKERS, "fork", proxy=() if claims else ("--no-children",))
    with program.client() as client:
        begin(client, {str(program.folder / "program.py"): [4]}, connect={"host": "127.0.0.1", "port": program.port})
        client._breakpoints = {program.folder / "program.py": [4]}
        if claims:
            child, stopped = client.stopped_child()
            assert child.frames(stopped["threadId"])[0]["line"] == 4
            for session in (client, *client.children):
                session._breakpoints = {}
            client.disconnect()
        assert "pool [0, 2, 4, 6]" in program.end()
        assert bool(client.children) is claims


def test_a_client_that_comes_late_for_a_child_gets_it(start: Start) -> None:
    child = "import pathlib, time\\nwhile not pathlib.Path('stop').exists(): time.sleep(0.01)"
    program = start(
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', \"{child}\"])\n", proxy=("--patience", "0")
    )
    with program.client() as client:
        told: list[dict[str, Any]] = []
        client._adopt = told.append  # type: ignore[method-assign,assignment]
        begin(client)
        eventually(lambda: "silent" in program.status["children"].values(), "the child to be left alone")
        client._pump(lambda: bool(told), "the notice of the child", None)
        with program.client() as late:
            begin(late, **{**told[0], "request": "attach"})
            thread = late.request("threads")["threads"][0]["id"]
            late.request("pause", threadId=thread)
            late.stopped("pause")
            late.resume(thread)
            late.disconnect()
        program.end()


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"Content-Length: 400\r\n\r\n{", b"\x00" * 9000,
             b'Content-Length: 2\r\n\r\n[]', b'Content-Length: 39\r\n\r\n{"type":"request","command":"threads"  }'],
)  # fmt: skip
def test_nonsense_does_not_touch_the_program(start: Start, said: bytes) -> None:
    program = start(LOOP)
    with socket.create_connection(("127.0.0.1", program.port)) as sock:
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(10)
        with contextlib.suppress(ConnectionError):
            while sock.recv(65536):
                pass
    with program.client() as client:
        begin(client)
        client.disconnect()
    program.end()


def test_a_second_client_is_refused_and_the_first_goes_on(start: Start) -> None:
    program = start(LOOP)
    with program.client() as first, program.client() as second:
        begin(first)
        second.initialize()
        with pytest.raises(RequestFailed, match="already"):
            second.request("attach")
        thread = first.request("threads")["threads"][0]["id"]
        first.request("pause", threadId=thread)
        first.stopped("pause")
        first.resume(thread)
        first.disconnect()
    program.end()


def test_fifty_megabytes_pass(start: Start) -> None:
    program = start(LOOP)
    with program.client() as client:
        begin(client, {str(program.folder / "program.py"): [4]})
        thread = client.stopped("breakpoint")["threadId"]
        frame = client.frames(thread)[0]["id"]
        # The kit's own reader is made for small messages.
        client.send("evaluate", {"expression": "'x' * 50_000_000", "frameId": frame, "context": "clipboard"})
        tail = b""
        while not tail.endswith(b"}}"):
            piece = client._socket.recv(1 << 20)
            assert piece, "the connection was closed"
            tail = (tail + piece)[-4:]
        client.breakpoints(str(program.folder / "program.py"), [])
        client.resume(thread)
        client.disconnect()
    program.end()


def test_a_file_that_is_not_imported_is_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    program = start(LOOP)
    (program.folder / "other.py").write_text("x = 1\n")
    os.utime(program.folder / "other.py", (time.time() - 3600,) * 2)
    with program.client() as client:
        begin(client, {str(program.folder / "other.py"): [1], str(program.folder / "program.py"): [10_000]})
        said = client.event("output", lambda body: "has not imported" in body.get("output", ""))["output"]
        assert said.startswith("devenv: breakpoint other.py:1: the program has not imported this file")
        client.disconnect()
    program.end()


def test_the_program_has_no_child_that_it_did_not_start(start: Start) -> None:
    program = start(
        "import os\ntry:\n    print(os.waitpid(-1, os.WNOHANG))\nexcept ChildProcessError:\n    print('none')\n",
        wait=False,
    )
    out, _ = program.process.communicate(timeout=30)
    assert out == "none\n" and program.process.returncode == 0
