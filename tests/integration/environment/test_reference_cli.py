"""The reference CLI finds our container and we find its: same labels, same markers, nothing done twice."""

from __future__ import annotations

import pytest

from tests.integration.environment.conftest import Site, reference_cli

pytestmark = [pytest.mark.engine, pytest.mark.node]

CONFIG = {
    "image": "devenv-rig/python:3.11",
    "containerEnv": {"A": "1"},
    "postCreateCommand": "echo once >> /tmp/created",
    "postStartCommand": "echo once >> /tmp/started",
}


async def test_the_reference_finds_ours(site: Site) -> None:
    site.configure(CONFIG)
    ours = await site.up()
    theirs = reference_cli("up", "--workspace-folder", str(site.root))
    assert theirs["outcome"] == "success"
    assert theirs["containerId"] == ours.container.id
    assert theirs["remoteWorkspaceFolder"] == ours.workspace_folder
    assert theirs["remoteUser"] == ours.remote_user
    assert await site.run(ours, "cat /tmp/created /tmp/started") == "once\nonce"


async def test_ours_finds_the_references(site: Site) -> None:
    site.configure(CONFIG)
    theirs = reference_cli("up", "--workspace-folder", str(site.root))
    ours = await site.up()
    assert ours.container.id == theirs["containerId"] and ours.adopted and not ours.created
    assert ours.workspace_folder == theirs["remoteWorkspaceFolder"]
    assert ours.drift == ()
    assert await site.run(ours, "cat /tmp/created /tmp/started") == "once\nonce"
    assert any("64 MB" in note for note in (await site.rooms.status(await site.target(), site.engine)).notes)
    site.configure({**CONFIG, "containerEnv": {"A": "2"}})
    again = await site.up()
    assert again.container.id == theirs["containerId"]
    assert [d.property for d in again.drift] == ["containerEnv.A"]
    await site.engine.stop(ours.container.id, timeout=0)
    restarted = await site.up()
    assert restarted.container.id == theirs["containerId"]
    assert await site.run(restarted, "cat /tmp/created /tmp/started") == "once\nonce\nonce"
