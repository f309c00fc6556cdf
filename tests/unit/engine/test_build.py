"""What is refused before a builder without BuildKit is asked for it."""

from __future__ import annotations

import dataclasses
from typing import Any, NoReturn, cast

import pytest

from devenv.engine import build
from devenv.engine.docker_cli import DockerCli
from devenv.engine.port import BuildRequest
from devenv.errors import EngineError
from tests.unit.engine.recorder import Recorder

PLAIN = BuildRequest(context="/c", dockerfile="/c/Dockerfile", tags=("t",))


class Unused:
    async def spawn(self, *words: Any, **options: Any) -> NoReturn:
        raise AssertionError(words)


CASES: list[tuple[str, dict[str, Any], str]] = [
    (
        "platforms and a cache",
        {"platforms": ("linux/amd64",), "cache_to": ("x",)},
        "--platform, --cache-to: need Build",
    ),
    ("a cache elsewhere", {"cache_to": ("type=inline",)}, "--cache-to: needs BuildKit"),
    ("a file", {"output": "type=oci,dest=x"}, "--output: needs BuildKit"),
    ("an option", {"options": ("--secret", "id=x")}, r"--secret \(build\.options\): needs BuildKit"),
    ("options", {"options": ("--ssh=default", "--network=host")}, r"--ssh \(build\.options\): needs BuildKit"),
]


@pytest.mark.parametrize("podman", [False, True], ids=["no Buildx", "Podman"])
@pytest.mark.parametrize(("changes", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_refused_without_buildkit(changes: dict[str, Any], words: str, podman: bool) -> None:
    told = Recorder()
    with pytest.raises(EngineError, match=words) as caught:
        request = dataclasses.replace(PLAIN, **changes)
        await build.build(cast(DockerCli, Unused()), request, told, None, podman=podman)
    assert ("docker-buildx-plugin" in caught.value.hint) is not podman
    assert ("Podman" in caught.value.message) is podman and [note for note in told.notes if "BuildKit" in note]


async def test_buildkit_that_was_switched_off_is_no_reason_to_install_it() -> None:
    request = dataclasses.replace(PLAIN, classic=True, output="x")
    with pytest.raises(EngineError, match="which was switched off"):
        await build.build(cast(DockerCli, Unused()), request, Recorder(), None)
