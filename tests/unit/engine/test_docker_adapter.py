"""The SDK's errors become ours, each with what was being done."""

from __future__ import annotations

import re
import socket

import docker.errors
import pytest
import requests
import requests.exceptions

from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.docker_cli import DockerCli, reason
from devenv.engine.endpoint import Endpoint
from devenv.engine.sdk import map_error
from devenv.errors import ContainerGone, EngineDenied, EngineError, EngineMissing, ImageMissing, InternalError

WHERE = Endpoint("unix:///run/rig.sock", "default")


def api_error(status: int, kind: type[docker.errors.APIError] = docker.errors.APIError) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code = status
    return kind("failed", response=response, explanation="the engine's words")


def wrapped(error: OSError) -> Exception:
    connection = requests.exceptions.ConnectionError(("Connection aborted.", error))
    connection.__context__ = error
    outer = docker.errors.DockerException("Error while fetching server API version")
    outer.__cause__ = connection
    return outer


CASES = [
    ("missing image", api_error(404, docker.errors.ImageNotFound), ImageMissing),
    ("missing container", api_error(404), ContainerGone),
    ("refused by the engine", api_error(500), EngineError),
    ("no socket", wrapped(FileNotFoundError(2, "No such file")), EngineMissing),
    ("nobody listens", wrapped(ConnectionRefusedError(111, "refused")), EngineMissing),
    ("no permission", wrapped(PermissionError(13, "denied")), EngineDenied),
    ("no answer", requests.exceptions.ReadTimeout("slow"), EngineMissing),
    ("a defect", KeyError("x"), InternalError),
]


@pytest.mark.parametrize(("error", "kind"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_map_error(error: Exception, kind: type[Exception]) -> None:
    mapped = map_error(error, WHERE, "start container x")
    assert type(mapped) is kind
    if isinstance(error, docker.errors.APIError):
        assert "start container x" in mapped.message and "the engine's words" in mapped.message


async def test_connecting_to_nothing(tmp_path: object) -> None:
    with pytest.raises(EngineMissing, match="no container engine answers at"):
        await DockerEngine.connect({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})


async def test_connecting_to_something_else(tmp_path: object) -> None:
    path = f"{tmp_path}/other.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)  # bound but deaf
        with pytest.raises(EngineMissing):
            await DockerEngine.connect({"DOCKER_HOST": f"unix://{path}"})


def test_values_that_steer_the_command_are_refused() -> None:
    cli = DockerCli(WHERE, {"PATH": "/usr/bin", "HTTP_PROXY": "http://p"})
    assert cli.environment({"HTTP_PROXY": "http://p", "TOKEN": "x"})["TOKEN"] == "x"
    for name in ("PATH", "DOCKER_HOST", "LD_PRELOAD", "HTTP_PROXY"):
        with pytest.raises(EngineError, match=name):
            cli.environment({name: "other"})


def test_no_docker_command(tmp_path: object) -> None:
    with pytest.raises(EngineError, match="not on PATH"):
        DockerCli(WHERE, {"PATH": str(tmp_path)}).binary()


def test_reason_is_the_engines_own_words() -> None:
    said = "docker: Error response from daemon: bad mount.\n\nRun 'docker create --help' for more information\n"
    assert reason(said) == "bad mount"


def test_reason_leaves_the_commands_usage_out() -> None:
    said = "unknown flag: --nope\n\nUsage:  docker create [OPTIONS] IMAGE\n\nRun 'docker create --help' for more\n"
    assert reason(said) == "unknown flag: --nope"


async def test_nobody_at_a_tcp_address_is_told_as_a_missing_engine() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(EngineMissing, match=re.escape(address)):
            await DockerEngine.connect({"DOCKER_HOST": address})
