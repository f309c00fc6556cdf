"""The reference CLI and devenv on one container, whoever made it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.daily.conftest import Founder
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.outcome import Outcome
from tests.kit.rig import node_program

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.node]

ONCE: dict[str, Any] = {"postCreateCommand": "echo once >> /tmp/created"}


def reference(here: Site, *words: str) -> Outcome:
    return here.shell.run(node_program("devcontainer"), *words, timeout=110)


def reference_up(here: Site, *words: str) -> dict[str, Any]:
    folder = () if "--workspace-folder" in words else ("--workspace-folder", str(here.folder))
    answer: dict[str, Any] = json.loads(reference(here, "up", *folder, *words).ok().out.splitlines()[-1])
    assert answer["outcome"] == "success"
    return answer


def test_the_reference_works_in_a_container_of_ours(found: Founder, images: Images) -> None:
    here = found("ours", images.python_user, **ONCE)
    inside = reference(here, "exec", "--workspace-folder", str(here.folder), "sh", "-c", "id -u; pwd; cat streams.py")
    uid, folder, *_ = inside.ok().out.splitlines()
    assert (int(uid), folder) == (here.uid, "/workspaces/ours")
    assert reference_up(here)["containerId"] == here.container()
    assert here.exec("cat", "/tmp/created").ok().out == "once\n"
    here.devenv("down", "--force", "--volumes").ok()


def test_a_container_of_the_references_is_found_and_used(found: Founder, images: Images) -> None:
    here = found("theirs", images.python_user, up=False, **ONCE)
    assert here.view()["status"] == "absent"
    made = reference_up(here)
    assert here.view()["container_id"] == made["containerId"]  # seen although it came behind our back
    view = here.json("up")["environment"]
    assert (view["container_id"], view["adopted"]) == (made["containerId"], True)
    assert view["tier"] == "stream"
    assert here.exec("sh", "-c", "id -u; pwd; cat /tmp/created").ok().out == f"{here.uid}\n/workspaces/theirs\nonce\n"
    here.devenv("run", "streams.py", "2").failed(2).says("^to out 2$")
    run = here.json("run", "--detach", "family.py")["run"]["id"]
    here.devenv("stop").failed(68)
    here.devenv("kill", run).ok()
    here.devenv("stop").ok()
    here.devenv("start").ok()
    here.exec("true").ok()
    here.devenv("down").failed(77).says("another tool", "--force")
    here.devenv("down", "--force").ok()
    assert here.containers() == []


def test_a_container_made_through_a_symlink_is_used(found: Founder, images: Images) -> None:
    here = found("linked", images.python_user, up=False)
    link = here.folder.parent / "the-link"
    link.symlink_to(here.folder)
    try:
        made = reference_up(here, "--workspace-folder", str(link))
        view = here.json("up")["environment"]
        assert view["container_id"] == made["containerId"]
        assert view["workspace_folder"] == made["remoteWorkspaceFolder"]
        here.exec("cat", "streams.py").ok()
        here.devenv("run", "streams.py").ok()
        here.devenv("down", "--force").ok()
    finally:
        here.docker.remove_project(link)
        link.unlink()
