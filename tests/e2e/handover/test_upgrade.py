"""A newer devenv meets the older one's supervisor: what is established stays, what is new goes to the new one."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit import installed
from tests.kit.command import Shell
from tests.kit.fixtures import Images
from tests.kit.project import devcontainer
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(300)]

OLD = "0.0.1"

ECHO = """
import socket, threading
def serve(c):
    while data := c.recv(4096):
        c.sendall(data)
s = socket.create_server(("127.0.0.1", 7431))
print("listening", flush=True)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""

TALK = """
import pathlib, time
i = 0
while not pathlib.Path("enough").exists():
    print(i, flush=True)
    i += 1
    time.sleep(0.02)
print("the end", flush=True)
"""


def facts(shell: Shell) -> dict[str, Any]:
    found: dict[str, Any] = shell.run("devenv", "supervisor", "--json").ok().json()
    return found


def forward(shell: Shell) -> dict[str, Any]:
    ports = shell.run("devenv", "ports", "--json").ok().json()["ports"]
    (found,) = [view for view in ports if view["port"] == 7431]
    return dict(found)


def echoes(connection: socket.socket, text: bytes) -> bool:
    connection.sendall(text)
    return connection.recv(4096) == text


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def old(alice: User, images: Images, shell: Callable[..., Shell], project: Callable[..., Path]) -> Shell:
    """Alice with the older devenv, in a project whose echo server runs behind a forward."""
    shell(alice, alice.home).run("devenv", "supervisor", "stop")
    files = {**devcontainer(images.python, forwardPorts=[7431]), "echo.py": ECHO, "talk.py": TALK}
    here = dataclasses.replace(shell(alice, project(alice, files)), path=(installed.bin_folder(OLD),))
    here.run("devenv", "up", timeout=120).ok()
    here.run("devenv", "run", "--detach", "echo.py").ok()
    eventually(lambda: "listening" in here.run("devenv", "logs", "echo.py").out, "the echo server", 30)
    return here


def test_an_upgrade_breaks_no_connection_and_no_run(
    alice: User, old: Shell, shell: Callable[..., Shell], tmp_path: Path
) -> None:
    new = shell(alice, old.cwd)
    before, port = facts(old), forward(old)["host_port"]
    assert before["version"] == OLD
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as established,
        (tmp_path / "talk").open("wb") as said,
        old.start("devenv", "run", "talk.py", stdin=subprocess.DEVNULL, stdout=said, stderr=said) as talk,
    ):
        assert echoes(established, b"before")
        eventually(lambda: (tmp_path / "talk").stat().st_size > 0, "output of the attached run", 30)

        # Two newer clients notice at once: one successor.
        with (
            new.start("devenv", "ports", stdout=subprocess.DEVNULL) as one,
            new.start("devenv", "runs", stdout=subprocess.DEVNULL) as other,
        ):
            assert (one.wait(60), other.wait(60)) == (0, 0)
        after = facts(new)
        assert after["version"] != OLD
        assert after["pid"] != before["pid"]
        assert facts(old)["pid"] == after["pid"], "older clients are served by the new one"

        assert alive(before["pid"])
        assert echoes(established, b"after")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as fresh:
            assert echoes(fresh, b"new")
            view = forward(new)
            assert (view["host_port"], view["connections"]) == (port, 1), "the new process has the new connection only"
        states = {run["name"]: run["state"] for run in new.run("devenv", "runs", "--json").ok().json()["runs"]}
        assert states == {"echo.py": "running", "talk.py": "running"}

        size = (tmp_path / "talk").stat().st_size
        eventually(lambda: (tmp_path / "talk").stat().st_size > size, "the attached run goes on", 30)
        new.run("touch", "enough").ok()
        assert talk.wait(30) == 0
        lines = (tmp_path / "talk").read_text().split("\n")
        end = lines.index("the end")
        assert lines[:end] == [str(number) for number in range(end)], "a line was lost or doubled"
        assert alive(before["pid"]), "it stays for the established connection"
        assert echoes(established, b"still")
    eventually(lambda: not alive(before["pid"]), "the old supervisor has gone", 30)
    assert facts(new)["pid"] == after["pid"]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as last:
        assert echoes(last, b"last")
    (log,) = alice.home.glob(".local/state/devenv/*/supervisor.log")
    assert "Traceback" not in log.read_text()


def test_an_idle_supervisor_leaves_at_once(alice: User, old: Shell, shell: Callable[..., Shell]) -> None:
    """Nothing is to be waited for; host port and runs are the same."""
    new = shell(alice, old.cwd)
    before, port = facts(old), forward(old)["host_port"]
    (run,) = new.run("devenv", "runs", "--json").ok().json()["runs"]
    assert (run["name"], run["state"]) == ("echo.py", "running")
    eventually(lambda: not alive(before["pid"]), "the old supervisor has gone", 30)
    assert forward(new)["host_port"] == port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        assert echoes(connection, b"hello")
