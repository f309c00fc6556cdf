"""Values that go to a container by a file."""

from __future__ import annotations

import os
import pathlib
import stat
import subprocess
from typing import Any

import pytest

from devenv.engine import env_file
from devenv.engine.docker_cli import DockerCli
from devenv.engine.endpoint import Endpoint
from devenv.errors import EngineError


def test_the_file_is_read_by_who_inherits_it_and_has_no_name() -> None:
    with env_file.opened({"PATH": "/a b:/c", "EMPTY": ""}) as (path, inherit):
        assert stat.S_IMODE(os.fstat(inherit[0]).st_mode) == 0o600 and os.fstat(inherit[0]).st_nlink == 0
        out = subprocess.run(["cat", path], pass_fds=inherit, capture_output=True, check=True).stdout
    assert out == b"PATH=/a b:/c\nEMPTY=\n"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["-e", "PATH", "-e", "A", "-e", "B=1"], ["-e", "A", "-e", "B=1"]),
        (["--env=PATH", "--env=PATH=x", "--env", "PATH"], ["--env=PATH=x"]),
        (["--entrypoint", "sh", "image", "-e", "PATH"], ["--entrypoint", "sh", "image", "-e", "PATH"]),
        (["-e"], ["-e", ""]),
    ],
    ids=["pairs", "one word", "a command's own", "broken"],
)
def test_without(args: list[str], expected: list[str]) -> None:
    assert env_file.without(args, {"PATH"}) == expected


@pytest.fixture
def cli(tmp_path: pathlib.Path) -> DockerCli:
    """A `docker` that prints its words, a file among them, and one variable."""
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\necho "$@"\n[ "$2" = --env-file ] && cat "$3"\necho "TOKEN=$TOKEN"\n')
    program.chmod(0o755)
    return DockerCli(Endpoint("unix:///run/rig.sock", "default"), {"PATH": f"{tmp_path}:/usr/bin:/bin"})


async def test_only_names_that_mean_something_to_the_command_go_by_file(cli: DockerCli) -> None:
    env: dict[str, Any] = {"PATH": "/other", "HTTP_PROXY": "http://u:p@x", "TOKEN": "t"}
    words = [word for name in env for word in ("-e", name)]
    code, out, _ = await cli.create([*words, "--entrypoint", "sh", "image"], env)
    first, *rest = out.splitlines()
    assert code == 0
    assert first.startswith("create --env-file /dev/fd/") and first.endswith(" -e TOKEN --entrypoint sh image")
    assert rest == ["PATH=/other", "HTTP_PROXY=http://u:p@x", "TOKEN=t"]
    code, out, _ = await cli.create(["-e", "TOKEN", "image"], {"TOKEN": "t"})
    assert out.splitlines() == ["create -e TOKEN image", "TOKEN=t"]


async def test_several_lines_do_not_fit(cli: DockerCli) -> None:
    with pytest.raises(EngineError, match="PATH cannot take its value"):
        await cli.create(["-e", "PATH"], {"PATH": "a\nb"})
