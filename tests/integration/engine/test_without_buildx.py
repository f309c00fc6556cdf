"""A machine whose `docker` command has no Buildx, as with Docker 20.10: what works there, and what is said."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devenv.engine.docker_cli import PLUGIN_FOLDERS
from tests.kit import registry as kit
from tests.kit.command import Shell
from tests.kit.engine import Docker, DockerFailed
from tests.kit.outcome import Outcome
from tests.kit.project import write_project
from tests.kit.users import User, this_user

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.registry]

ONCE = uuid.uuid4().hex
NO_BUILDX = "has no Buildx: using the classic builder"
CONFIG: dict[str, Any] = {
    "build": {"dockerfile": "Dockerfile"},
    "features": {"./one": {}, "./two": {}},
    "remoteUser": "dev",
}
DOCKERFILE = f"FROM devenv-rig/python-user:latest\nUSER root\nRUN echo {ONCE} > /built\n"

# In mounts that only this command and what it starts see, an empty file lies over the plugin; then as the user.
_HIDDEN = """
for folder in $1; do [ ! -e "$folder/docker-buildx" ] || mount --bind /dev/null "$folder/docker-buildx"; done
uid=$2 gid=$3
shift 3
exec setpriv --reuid "$uid" --regid "$gid" --init-groups "$@"
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Bare:
    """A user in a project, without Buildx."""

    user: User
    shell: Shell  # of root

    def __call__(self, *words: str) -> Outcome:
        who = (" ".join(PLUGIN_FOLDERS), str(self.user.uid), str(self.user.gid))
        return self.shell.run("unshare", "--mount", "sh", "-ec", _HIDDEN, "sh", *who, *words, timeout=100)

    def configure(self, **changes: Any) -> None:
        self.write({".devcontainer/devcontainer.json": {**CONFIG, **changes}})

    def write(self, files: dict[str, Any]) -> None:
        write_project(self.shell.cwd, files, owner=self.user)


def feature(name: str) -> dict[str, Any]:
    return {
        f".devcontainer/{name}/devcontainer-feature.json": {"id": name, "version": "1.0.0", "name": name},
        f".devcontainer/{name}/install.sh": f"#!/bin/sh\n# {ONCE}\necho {name} > /{name}\n",
    }


@pytest.fixture
def bare(alice: User, devenv_bin: Path, project: Callable[..., Path]) -> Iterator[Bare]:
    folder = project(alice, {".devcontainer/Dockerfile": DOCKERFILE, **feature("one"), **feature("two")})
    env = {variable: value for variable, value in alice.environment().items() if variable != "PATH"}
    made = Bare(alice, Shell(this_user(), folder, (devenv_bin,), env))
    made.configure()
    made("devenv", "supervisor", "stop")  # one that sees Buildx may be there
    yield made
    made("devenv", "down", "--force", "--volumes")
    made("devenv", "supervisor", "stop")


@pytest.fixture
def name(engine: Docker, tmp_path: Path) -> Iterator[str]:
    """An image's name at a registry of this test."""
    with kit.running(tmp_path / "registry") as registry:
        made = f"{registry.host}/team/{ONCE[:8]}:1"
        yield made
        try:
            engine("rmi", "--force", made)
        except DockerFailed:
            pass  # the test did not come that far


def test_up_with_a_dockerfile_and_features(bare: Bare) -> None:
    assert bare("docker", "buildx", "version").failed().rc  # it is hidden indeed
    up = bare("devenv", "up").ok()
    assert up.err.count(NO_BUILDX) == 1
    assert bare("devenv", "exec", "--", "sh", "-c", "cat /built /one /two; ls /tmp").ok().out == f"{ONCE}\none\ntwo\n"
    assert NO_BUILDX not in bare("devenv", "rebuild", "--trust").ok().err.replace(NO_BUILDX, "", 1)


def test_a_build_is_pushed(bare: Bare, name: str, engine: Docker) -> None:
    done = bare("devenv", "devcontainer", "build", "--workspace-folder", ".", "--image-name", name, "--push").ok()
    answer = json.loads(done.out.splitlines()[-1])
    assert (answer["outcome"], answer["imageName"]) == ("success", [name])
    engine("rmi", "--force", name)
    engine("pull", "--quiet", name)
    label = engine.inspect(name)["Config"]["Labels"]["devcontainer.metadata"]
    assert [entry.get("id") for entry in json.loads(label)] == ["./one", "./two", None]


def test_a_push_that_fails_leaves_the_image_and_says_where(bare: Bare, engine: Docker) -> None:
    name = f"localhost:1/team/{ONCE[:8]}:2"
    words = ("--workspace-folder", ".", "--image-name", name, "--push")
    done = bare("devenv", "devcontainer", "build", *words).failed(1).says(f"docker push {name}")
    assert "is built, and cannot be pushed" in json.loads(done.out.splitlines()[-1])["message"]
    engine("rmi", "--force", name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--platform", "linux/amd64,linux/arm64"), "--platform: needs BuildKit"),
        (("--output", "type=oci,dest=x"), "--output: needs BuildKit"),
        (("--cache-to", "type=inline"), "--cache-to: needs BuildKit"),
    ],
    ids=["platforms", "output", "cache"],
)
def test_what_only_buildkit_can_is_refused_by_its_name(bare: Bare, words: tuple[str, ...], said: str) -> None:
    done = bare("devenv", "build", *words).failed(69)
    assert f"{said}, and this `docker` command has no Buildx\n  package docker-buildx" in done.err


def test_an_option_of_the_configuration_that_only_buildkit_has(bare: Bare) -> None:
    bare.configure(build={"dockerfile": "Dockerfile", "options": ["--secret", "id=token,src=token"]})
    bare("devenv", "up", "--trust").failed(69).says(r"--secret \(build\.options\): needs BuildKit").silent_about(
        "Usage"
    )


def test_a_dockerfile_that_needs_buildkit_names_its_step(bare: Bare) -> None:
    bare.write({".devcontainer/Dockerfile": f"{DOCKERFILE}RUN --mount=type=cache,target=/c true\n"})
    bare("devenv", "up").failed(72).says(r"at step \[4/4\] RUN", "--mount option requires BuildKit")
