"""What a machine says of itself, run here, and what is not believed."""

from __future__ import annotations

import pathlib
import socket
import subprocess

import pytest

from devenv.errors import EngineDenied, EngineMissing
from devenv.hosts import probe
from devenv.hosts.destination import Destination, parse
from devenv.hosts.probe import Machine, Socket

BOX = parse("me@box")


def ask(to: Destination, **env: str) -> Machine:
    """The script in a real `sh`."""
    done = subprocess.run(
        ["sh"], input=probe.script(to), capture_output=True, check=True, env={"PATH": "/usr/bin:/bin", **env}
    )
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    assert (lines[0], lines[-1]) == (probe.BEGIN, probe.END)
    return probe.parse(lines[1:-1])


def test_a_socket_that_was_asked_for_is_the_only_one(tmp_path: pathlib.Path) -> None:
    place = str(tmp_path / "it's mine.sock")
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(place)
        found = ask(Destination("box", place))
    assert [(one.path, one.usable) for one in found.sockets] == [(place, True)]
    assert found.machine
    assert found.user


def test_a_rootless_engine_is_found_beside_the_others(tmp_path: pathlib.Path) -> None:
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "docker.sock"))
        found = ask(BOX, XDG_RUNTIME_DIR=str(tmp_path))
    assert str(tmp_path / "docker.sock") in [one.path for one in found.sockets]


def test_docker_host_of_the_log_in_comes_first(tmp_path: pathlib.Path) -> None:
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "own.sock"))
        found = ask(BOX, DOCKER_HOST=f"unix://{tmp_path}/own.sock")
    assert found.sockets[0].path == str(tmp_path / "own.sock")


def test_the_rights_of_the_engines_processes_are_seen_from_outside() -> None:
    lines = ["right=000001ffffffffff", "limit=memlock 8388608", "limit=memlock unlimited", "limit=stack unlimited"]
    found = probe.parse([*lines, "limit=cpu 1", "limit=nproc -3"]).limits
    assert found is not None
    assert found.may_raise
    assert found.hard == {"memlock": 8388608, "stack": -1}


def test_one_process_without_the_right_is_enough() -> None:
    lines = ["right=000001ffffffffff", "right=00000000a80425fb", "limit=nofile 1024"]
    found = probe.parse(lines).limits
    assert found is not None
    assert not found.may_raise


def test_the_first_socket_that_may_be_used_is_taken() -> None:
    machine = Machine(user="me", sockets=(Socket("/var/run/docker.sock", "docker", False), Socket("/x", "me", True)))
    assert machine.socket(BOX).path == "/x"


def test_no_right_names_the_group() -> None:
    machine = Machine(user="me", sockets=(Socket("/var/run/docker.sock", "docker", False),))
    with pytest.raises(EngineDenied) as caught:
        machine.socket(BOX)
    assert "sudo usermod -aG docker me" in caught.value.hint


@pytest.mark.parametrize(("programs", "says"), [((), "no container engine"), (("docker",), "no engine listens")])
def test_no_socket_at_all(programs: tuple[str, ...], says: str) -> None:
    with pytest.raises(EngineMissing, match=says):
        Machine(programs=programs).socket(BOX)


@pytest.mark.parametrize(
    "line",
    [
        "socket=yes docker relative.sock",
        "socket=yes docker /a:b",
        "socket=yes docker /" + "x" * 200,
        "socket=maybe docker /a",
        "program=rm",
        "machine=\x1b[2J",
        "user=$(id)",
        "nothing",
    ],
)
def test_an_answer_out_of_shape_is_left_out(line: str) -> None:
    assert probe.parse([line]) == Machine()
