"""Configurations of every kind beside the reference: what `read-configuration` prints of them, and their containers."""

from __future__ import annotations

import dataclasses
import json
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcontainer import jsonc
from tests.integration.dropin.containers import Run, assert_same
from tests.integration.dropin.differences import with_id, without_defects, without_places
from tests.kit import reference
from tests.kit import registry as kit
from tests.kit.engine import Docker
from tests.kit.project import Content, write_project

pytestmark = [pytest.mark.engine, pytest.mark.node, pytest.mark.registry]

CORPUS = {file.stem: file for file in sorted((Path(__file__).parents[2] / "corpus").glob("*.jsonc"))}
IMAGE = "devenv-rig/python-user:latest"
ENV = {"TOKEN": "t", "DISPLAY": ":0", "WANDB_API_KEY": "w", "USERNAME": ""}

CONFIG = ".devcontainer/devcontainer.json"
EVERYTHING = ("--include-features-configuration", "--include-merged-configuration")


def value_of(name: str) -> dict[str, Any]:
    value = jsonc.parse(CORPUS[name].read_text(encoding="utf-8-sig")).value
    assert isinstance(value, dict)
    return dict(value)


def files(project: Path, image: str, name: str) -> dict[str, Content]:
    """What a configuration of the corpus names beside it: Dockerfiles and Compose files."""
    config = value_of(name)
    services = dict.fromkeys([config.get("service", "app"), *config.get("runServices", ["app"])])
    dockerfile = f"FROM {image} AS dev\nENV BUILT=1\n"
    service = {
        "image": image,
        "command": "sleep infinity",
        "init": True,
        "volumes": [f"{project}:{place}" for place in ("/app", "/code", "/workspace")],
    }
    compose = json.dumps({"services": dict.fromkeys(services, service)})
    return {
        "Dockerfile": dockerfile,
        ".devcontainer/Dockerfile": dockerfile,
        "docker-compose.yml": compose,
        ".devcontainer/docker-compose.yml": compose,
        ".devcontainer/docker-compose.extend.yml": "services: {app: {environment: {EXTENDED: '1'}}}\n",
    }


# Features of the corpus as the registry of this machine has them: (namespace, id, what it adds to a container)
FEATURES: list[tuple[str, str, dict[str, Any]]] = [
    ("devcontainers/features", "common-utils", {"options": {"username": {"type": "string", "default": "automatic"}}}),
    ("devcontainers/features", "python", {"version": "1.5.0", "containerEnv": {"PYTHON_PATH": "/usr/local/python"}}),
    (
        "devcontainers/features",
        "docker-in-docker",
        {
            "privileged": True,
            "entrypoint": "/usr/local/share/docker-init.sh",
            "mounts": [{"source": "dind-${devcontainerId}", "target": "/var/lib/docker", "type": "volume"}],
            "customizations": {"vscode": {"extensions": ["ms-azuretools.vscode-docker"]}},
        },
    ),
    ("devcontainers-extra/features", "poetry", {"dependsOn": {}}),
    ("devcontainers/features", "nvidia-cuda", {"version": "1.2.1"}),
    ("rocker-org/devcontainer-features", "apt-packages", {"version": "1.0.0", "legacyIds": ["apt"]}),
    ("devcontainers/features", "git", {}),
]
AFTER = {"python": ["common-utils"], "docker-in-docker": ["common-utils"], "poetry": ["python"]}
NO_DIGEST = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
LOCAL: dict[str, Content] = {
    ".devcontainer/local/devcontainer-feature.json": {"id": "local", "version": "1.0.0", "name": "Local"},
    ".devcontainer/local/install.sh": "#!/bin/sh\n",
}


@dataclasses.dataclass(frozen=True)
class Shelf:
    host: str
    git: str  # digest of its feature git


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """A registry with stand-ins for the features that the corpus names."""
    sources = tmp_path_factory.mktemp("features")
    with kit.running(tmp_path_factory.mktemp("registry")) as registry:
        digests = {}
        for namespace, name, more in FEATURES:
            manifest = {"id": name, "version": "2.3.4", "name": name, **more}
            manifest["installsAfter"] = [f"{registry.host}/devcontainers/features/{one}" for one in AFTER.get(name, [])]
            folder = write_project(
                sources / name,
                {f"{name}/devcontainer-feature.json": manifest, f"{name}/install.sh": "#!/bin/sh\n"},
            )
            said = reference.result("features", "publish", folder, "-r", registry.host, "-n", namespace, cwd=folder)
            digests[name] = said[name]["digest"]
        yield Shelf(registry.host, digests["git"])


def at_home(name: str, shelf: Shelf) -> dict[str, Any]:
    """A configuration of the corpus for a machine without a network: its image is one that is here, its features come
    from `shelf`. Features of the time before registries (`node`) are left out: only ghcr.io has them."""
    config = value_of(name)
    if "image" in config:
        config["image"] = IMAGE
    if "features" in config:
        text = json.dumps({key: value for key, value in config["features"].items() if "/" in key})
        config["features"] = json.loads(text.replace("ghcr.io", shelf.host).replace(NO_DIGEST, shelf.git))
    if order := config.get("overrideFeatureInstallOrder"):
        config["overrideFeatureInstallOrder"] = [name.replace("ghcr.io", shelf.host) for name in order]
    return config


def both(ours: Run, theirs: Run, project: Path, *words: str) -> tuple[str, str]:
    """What each prints, as text in the order of its keys; the reference's without what is different on purpose."""
    answers = []
    for run in (ours, theirs):
        done = run("read-configuration", "--workspace-folder", ".", *words, env=ENV)
        assert done.rc == 0, done.err
        found = done.json
        found.pop(reference.DIAGNOSTICS, None)
        answers.append(without_places(without_defects(found)))
    answers[1] = with_id(answers[1], project, project / CONFIG)
    mine, other = (json.dumps(answer, indent=1, ensure_ascii=False) for answer in answers)
    return mine, other


@pytest.mark.parametrize("name", CORPUS)
def test_read_as_it_stands(project: Path, ours: Run, theirs: Run, name: str) -> None:
    write_project(project, {**files(project, IMAGE, name), CONFIG: CORPUS[name].read_bytes()})
    mine, other = both(ours, theirs, project)
    assert mine == other


@pytest.mark.parametrize("name", CORPUS)
def test_read_with_features_and_merged(project: Path, ours: Run, theirs: Run, shelf: Shelf, name: str) -> None:
    write_project(project, {**files(project, IMAGE, name), **LOCAL, CONFIG: at_home(name, shelf)})
    mine, other = both(ours, theirs, project, *EVERYTHING)
    assert mine == other


USERS = ("vscode", "node", "app", "ros")
COMMANDS = ("onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand", "postAttachCommand")


@pytest.fixture(scope="module")
def image(engine: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One with the users that the corpus names."""
    name = f"devenv-test/corpus:{uuid.uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("image")
    made = " && ".join(f"useradd --create-home {user}" for user in USERS)
    (folder / "Dockerfile").write_text(f"FROM devenv-rig/python:3.11\nRUN {made}\n")
    engine("build", "--quiet", "-t", name, str(folder))
    yield name
    engine("rmi", "--force", name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def noted(name: str, command: Any) -> Any:
    """A command of the same form that says that it ran."""
    if isinstance(command, dict):
        return {key: noted(f"{name}-{key}", one) for key, one in command.items()}
    script = f"touch /tmp/{name}"
    return ["sh", "-c", script] if isinstance(command, list) else script


def runnable(config: dict[str, Any], project: Path) -> dict[str, Any]:
    """The configuration for a machine without cards, screens and data. Its commands only say that they ran."""
    text = json.dumps(config)
    for word in ("${localEnv:HOME}/datasets", "/tmp/.X11-unix"):
        text = text.replace(word, str(project))
    for limit, lower in (("memlock=-1", "memlock=65536"), ("1048576", "1024")):  # not every engine may raise limits
        text = text.replace(limit, lower)
    found: dict[str, Any] = json.loads(text)
    found.update({name: noted(name, found[name]) for name in COMMANDS if name in found})
    if "initializeCommand" in found:
        found["initializeCommand"] = "true"
    if "runArgs" in found:
        found["runArgs"] = [word for word in found["runArgs"] if word not in ("--gpus", "all", "--device=/dev/dri")]
    found.get("customizations", {}).get("devenv", {}).pop("dotfiles", None)  # from GitHub
    if "appPort" in found:
        found["appPort"] = [f"{free_port()}:9035", free_port()]
    return found


@pytest.mark.parametrize("name", CORPUS)
def test_the_same_container(
    engine: Docker, project: Path, ours: Run, theirs: Run, shelf: Shelf, image: str, name: str
) -> None:
    config = runnable(at_home(name, shelf), project)
    if "image" in config:
        config["image"] = image
    write_project(project, {**files(project, image, name), **LOCAL, CONFIG: config})
    assert_same(engine, project, ours, theirs, ENV, read_by_both=False)
