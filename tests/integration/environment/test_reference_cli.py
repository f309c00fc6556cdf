"""The reference CLI finds our container and we find its: same labels, same markers, nothing done twice."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from devenv.environment.results import UpResult
from tests.integration.environment.conftest import Site, reference_cli
from tests.kit import reference
from tests.kit.project import Content

pytestmark = [pytest.mark.engine, pytest.mark.node]

IMAGE = "devenv-rig/python:3.11"
ONCE = uuid.uuid4().hex
HOOKS = {"postCreateCommand": "echo created >> /tmp/hooks", "postStartCommand": "echo started >> /tmp/hooks"}
FEATURE: dict[str, Content] = {
    ".devcontainer/tool/devcontainer-feature.json": {
        "id": "tool",
        "version": "1.0.0",
        "name": "Tool",
        "options": {"level": {"type": "string", "default": "low"}},
        "containerEnv": {"FROM_TOOL": "1"},
        "postCreateCommand": "echo tool >> /tmp/hooks",
        "entrypoint": "/usr/local/bin/tool-entry",
    },
    ".devcontainer/tool/install.sh": (
        f"#!/bin/sh\n# {ONCE}\necho $LEVEL > /etc/tool\n"
        "printf '#!/bin/sh\\nexec \"$@\"\\n' > /usr/local/bin/tool-entry; chmod 755 /usr/local/bin/tool-entry\n"
    ),
}
COMPOSE = f"""
services:
  app:
    image: {IMAGE}
    command: sleep infinity
    init: true
    volumes: ["..:/workspace"]
    depends_on: [side]
  side: {{image: devenv-rig/busybox, command: [sleep, infinity], init: true}}
"""

# kind -> (configuration, files, what hooks write the first time)
KINDS: dict[str, tuple[dict[str, Any], dict[str, Content], list[str]]] = {
    "image": ({"image": IMAGE, "containerEnv": {"A": "1"}}, {}, ["created", "started"]),
    "Dockerfile and features": (
        {
            "build": {"dockerfile": "Dockerfile"},
            "features": {"./tool": {"level": "high"}},
            "containerEnv": {"A": "1"},
            "remoteUser": "dev",
        },
        {".devcontainer/Dockerfile": f"FROM {IMAGE}\nENV ONCE={ONCE}\nRUN useradd -m dev\n", **FEATURE},
        ["tool", "created", "started"],
    ),
    "Compose": (
        {
            "dockerComposeFile": "compose.yml",
            "service": "app",
            "workspaceFolder": "/workspace",
            "containerEnv": {"A": "1"},
        },
        {".devcontainer/compose.yml": COMPOSE},
        ["created", "started"],
    ),
    "Compose and features": (
        {
            "dockerComposeFile": "compose.yml",
            "service": "app",
            "workspaceFolder": "/workspace",
            "containerEnv": {"A": "1"},
            "features": {"./tool": {}},
        },
        {".devcontainer/compose.yml": COMPOSE, **FEATURE},
        ["tool", "created", "started"],
    ),
}


def configure(site: Site, kind: str, **more: Any) -> list[str]:
    config, files, hooks = KINDS[kind]
    site.configure({**config, **HOOKS, **more}, files)
    return hooks


def theirs(site: Site) -> dict[str, Any]:
    return reference_cli("up", "--workspace-folder", str(site.root))


def exec_by_reference(site: Site, script: str) -> str:
    done = reference.run("exec", "--workspace-folder", site.root, "sh", "-c", script)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


async def ran(site: Site, result: UpResult) -> list[str]:
    return (await site.run(result, "cat /tmp/hooks")).split()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_reference_finds_ours(site: Site, kind: str) -> None:
    hooks = configure(site, kind)
    ours = await site.up()
    other = theirs(site)
    assert (other["outcome"], other["containerId"]) == ("success", ours.container.id)
    assert (other["remoteWorkspaceFolder"], other["remoteUser"]) == (ours.workspace_folder, ours.remote_user)
    assert exec_by_reference(site, "pwd; echo $A; id -un; cat /tmp/hooks").split() == [
        *(ours.workspace_folder, "1", ours.remote_user),
        *hooks,
    ]
    await site.engine.stop(ours.container.id, timeout=0)
    assert theirs(site)["containerId"] == ours.container.id
    again = await site.up()
    assert again.container.id == ours.container.id and not again.adopted and again.drift == ()
    assert await ran(site, again) == [*hooks, "started"]


@pytest.mark.parametrize("kind", KINDS)
async def test_ours_finds_the_references(site: Site, kind: str) -> None:
    hooks = configure(site, kind)
    made = theirs(site)
    ours = await site.up()
    assert ours.container.id == made["containerId"] and ours.adopted and not ours.created
    assert (ours.workspace_folder, ours.remote_user) == (made["remoteWorkspaceFolder"], made["remoteUser"])
    assert ours.drift == ()
    assert await ran(site, ours) == hooks
    assert any("64 MB" in note for note in (await site.rooms.status(await site.target(), site.engine)).notes)
    configure(site, kind, containerEnv={"A": "2"})
    again = await site.up()
    assert again.container.id == made["containerId"]
    assert [d.property for d in again.drift] == ["containerEnv.A"]
    await site.engine.stop(ours.container.id, timeout=0)
    restarted = await site.up()
    assert restarted.container.id == made["containerId"]
    assert await ran(site, restarted) == [*hooks, "started"]
    assert exec_by_reference(site, "cat /tmp/hooks").split() == [*hooks, "started"]
