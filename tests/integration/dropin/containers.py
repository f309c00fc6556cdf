"""Projects that containers are made of, and what a container is like, whoever made it: beside the reference."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from devcontainer import identity, metadata
from tests.integration.dropin.conftest import Done
from tests.integration.dropin.differences import of_hosts, without_defects, without_null, without_places
from tests.kit.engine import Docker, DockerFailed
from tests.kit.project import Content

Run = Callable[..., Done]

ENV = {"FOO": "of the host"}
IMAGE = "devenv-rig/python-user:latest"

FEATURE: dict[str, Content] = {
    ".devcontainer/a/devcontainer-feature.json": {
        "id": "a",
        "version": "1.0.0",
        "name": "A",
        "options": {"x": {"type": "string", "default": "0"}},
        "postCreateCommand": "touch /tmp/from-a",
        "capAdd": ["SYS_PTRACE"],
        "mounts": [{"source": "v-${devcontainerId}", "target": "/vv", "type": "volume"}],
        "containerEnv": {"FE": "1"},
        "customizations": {"vscode": {"extensions": ["f"]}},
    },
    ".devcontainer/a/install.sh": "#!/bin/sh\necho $X > /x\n",
}
DOCKERFILE = "ARG V=3.9\nFROM devenv-rig/python:${V}\nENV IMAGE_VARIABLE=1\nRUN useradd -m vs\nUSER vs\n"
COMPOSE = """
services:
  app:
    image: devenv-rig/python-user
    command: sleep infinity
    volumes: ['..:/w']
  other:
    image: devenv-rig/busybox
    command: sleep infinity
"""

PROJECTS: dict[str, tuple[dict[str, Any], dict[str, Content]]] = {
    "an image": ({"image": IMAGE}, {}),
    "all that is set on a container": (
        {
            "image": IMAGE,
            "remoteUser": "dev",
            "containerUser": "root",
            "containerEnv": {"C": "1", "H": "${localEnv:FOO}"},
            "remoteEnv": {"R": "2", "P": "${containerEnv:C}", "H2": "${localEnv:FOO}"},
            "mounts": ["type=volume,source=vol-${devcontainerId},target=/v", "type=tmpfs,target=/scratch"],
            "capAdd": ["SYS_PTRACE"],
            "securityOpt": ["seccomp=unconfined"],
            "runArgs": ["--hostname", "box"],
            "customizations": {"vscode": {"extensions": ["a"]}},
            "forwardPorts": [1234],
            "onCreateCommand": "touch /tmp/on-create",
            "postCreateCommand": {"one": "touch /tmp/one", "two": ["touch", "/tmp/two"]},
        },
        {},
    ),
    "another folder and mount": (
        {
            "image": IMAGE,
            "workspaceFolder": "/w/deep",
            "workspaceMount": "type=bind,source=${localWorkspaceFolder},target=/w",
        },
        {"deep/file": ""},
    ),
    "features": ({"image": "devenv-rig/python:3.11", "features": {"./a": {"x": "1"}}}, FEATURE),
    "a Dockerfile": (
        {"build": {"dockerfile": "Dockerfile", "args": {"V": "3.11"}}, "postStartCommand": "touch /tmp/started"},
        {".devcontainer/Dockerfile": DOCKERFILE},
    ),
    "a Dockerfile with features": (
        {"build": {"dockerfile": "Dockerfile", "args": {"V": "3.11"}}, "features": {"./a": {}}, "remoteUser": "vs"},
        {".devcontainer/Dockerfile": DOCKERFILE, **FEATURE},
    ),
    "Compose": (
        {
            "dockerComposeFile": "c.yml",
            "service": "app",
            "workspaceFolder": "/w",
            "runServices": ["other"],
            "containerEnv": {"C": "1"},
            "remoteEnv": {"R": "${containerEnv:C}"},
        },
        {".devcontainer/c.yml": COMPOSE},
    ),
}

OURS_ALONE = ("GIT_CONFIG_", "PYTHONUNBUFFERED")
"""Variables that `exec` has here and not there: Git's trust in a folder of another owner, output without delay."""
EACH_ONE_S = ("HOSTNAME", "PATH", "PWD", "_", "SHLVL", "OLDPWD", "LS_COLORS")
"""Of the container, or of a shell that the reference's probe leaves behind. PATH has a test of its own."""
LISTED = "ls /tmp | grep -v dev-container-features | grep -v ^devenv- || true"
"""Files of hooks in /tmp, without what the reference and our agent have there."""
OUR_MOUNTS = ("/run/devenv", "/var/lib/devenv")


def facts(engine: Docker, container: str, run: Run, env: Mapping[str, str] = ENV) -> dict[str, Any]:
    """All that must be equal; and under `host` the engine's own record, which `differences.of_hosts` judges."""
    found = engine.inspect(container)
    config = found["Config"]
    lines = run("exec", "--workspace-folder", ".", "env", env=env).out.splitlines()
    inside = dict(line.split("=", 1) for line in lines if "=" in line)
    return {
        "env": sorted(config["Env"]),
        "user": {"": "root", "0": "root"}.get(config["User"], config["User"]),
        "working folder": config["WorkingDir"],
        "hostname": config["Hostname"] if config["Hostname"] != found["Id"][:12] else "",
        "labels": {
            key: value
            for key, value in config["Labels"].items()
            if key.startswith("devcontainer.") and key != identity.METADATA
        },
        "metadata": metadata.read(config["Labels"].get(identity.METADATA)),
        "mounts": sorted(
            (mount["Type"], mount.get("Name") or mount.get("Source"), mount["Destination"], mount["RW"])
            for mount in found["Mounts"]
            if not mount["Destination"].startswith(OUR_MOUNTS)
        ),
        "inside": {
            key: value for key, value in inside.items() if key not in EACH_ONE_S and not key.startswith(OURS_ALONE)
        },
        "whoami": run("exec", "--workspace-folder", ".", "sh", "-c", "id -un; pwd; umask").out,
        "made": run("exec", "--workspace-folder", ".", "sh", "-c", f"{LISTED}; cat /x 2>/dev/null || true").out,
        "host": found["HostConfig"],
    }


def up(run: Run, *more: str, env: Mapping[str, str] = ENV) -> dict[str, Any]:
    done = run(
        *("up", "--workspace-folder", ".", "--include-configuration", "--include-merged-configuration", *more),
        env=env,
    )
    assert done.rc == 0, done.err
    answer = json.loads(done.out)
    assert isinstance(answer, dict)
    return without_defects(answer)


def read(run: Run, *more: str, env: Mapping[str, str] = ENV) -> str:
    """Letter by letter, but for the order that JSON readers see too."""
    done = run("read-configuration", "--workspace-folder", ".", *more, env=env)
    assert done.rc == 0, done.err
    return json.dumps(without_places(without_defects(done.json)))


def down(engine: Docker, project: Path, composed: str | None) -> None:
    engine.remove_project(project)
    if composed:
        for container in engine.containers(f"label=com.docker.compose.project={composed}"):
            engine("rm", "--force", "--volumes", container)
        with contextlib.suppress(DockerFailed):  # it had none of its own
            engine("network", "rm", f"{composed}_default")


def assert_same(
    engine: Docker,
    project: Path,
    ours: Run,
    theirs: Run,
    env: Mapping[str, str] = ENV,
    *,
    read_by_both: bool = True,
) -> None:
    """Both bring the project up, one after the other: equal answers, and containers that are equal in and out.
    With `read_by_both` each reads the other's container too: who made it does not matter to who reads it."""
    answers, seen = [], []
    for run in (ours, theirs):
        answer = up(run, env=env)
        container = answer.pop("containerId")
        seen.append(facts(engine, container, run, env))
        words = ("--include-merged-configuration", "--include-features-configuration")
        assert len({read(who, *words, env=env) for who in (ours, theirs) if read_by_both}) <= 1
        answers.append(answer)
        down(engine, project, answer.get("composeProjectName"))
    assert answers[0] == answers[1]
    assert json.dumps(answers[0]) == json.dumps(answers[1])
    seen[1]["inside"] = without_null(seen[1]["inside"])
    hosts = [one.pop("host") for one in seen]
    assert of_hosts(*hosts) == {}
    assert seen[0] == seen[1]
