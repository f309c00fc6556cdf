"""Podman without root, of a user who has nothing else: whose the project's files are, and what is said of that."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.daily.site import Site
from tests.kit.command import Shell
from tests.kit.podman import RootlessPodman
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.podman, pytest.mark.users, pytest.mark.timeout(240)]

IMAGE = "devenv-rig/python-user:latest"
COUNT = "import time\nfor i in range(100_000):\n    print(i, flush=True)\n    time.sleep(0.02)\n"

Project = Callable[..., Site]


@pytest.fixture
def project(rootless_podman: RootlessPodman, shell: Callable[..., Shell]) -> Iterator[Project]:
    """`project(property=value, ...)`: with that configuration, not brought up."""
    user = rootless_podman.user
    folder = user.home / "project"
    here = shell(user, user.home, DOCKER_HOST=rootless_podman.host)
    site = Site(here.at(folder), rootless_podman.docker)

    def make(**properties: Any) -> Site:
        for name, text in ((".devcontainer.json", json.dumps({"image": IMAGE, **properties})), ("count.py", COUNT)):
            here.run("sh", "-c", 'mkdir -p "$1" && cat > "$1/$2"', "sh", folder, name, stdin=text).ok()
        return site

    yield make
    with contextlib.suppress(AssertionError):  # a test may not have come that far
        site.devenv("down", "--force", "--volumes")
    here.run("rm", "-rf", folder)


def test_root_in_the_container_is_the_user(project: Project, rootless_podman: RootlessPodman) -> None:
    site = project(containerUser="root", remoteUser="root", postCreateCommand="touch hooked")
    up = site.devenv("up").ok()
    assert "rootless" not in up.err and site.view()["tier"] == "direct"
    assert site.path("hooked").stat().st_uid == site.uid
    site.exec("sh", "-c", "touch made; id -u").ok()
    assert site.path("made").stat().st_uid == site.uid
    site.devenv("run", "--detach", "count.py").ok()
    eventually(lambda: site.runs()["count.py"]["size"] > 0, "output of the run")
    site.devenv("kill", "count.py").ok()
    site.devenv("stop").ok()
    site.devenv("start").ok()
    site.devenv("down", "--volumes").ok()
    assert site.containers() == [] and rootless_podman.docker("volume", "ls", "--quiet") == ""


def test_an_ordinary_user_is_told_what_he_may_not_and_how_he_may(project: Project) -> None:
    site = project()
    up = site.devenv("up").ok()
    assert up.err.count("the engine is rootless") == 1 and 'userns = "keep-id"' in up.err
    site.exec("sh", "-c", "touch made").failed(1)
    site.exec("sh", "-c", "touch ~/made && id -un").ok().says("^dev$")


def test_keep_id_gives_an_ordinary_user_the_files(project: Project, rootless_podman: RootlessPodman) -> None:
    rootless_podman.start('userns = "keep-id"')
    try:
        site = project(postCreateCommand="touch hooked ~/hooked")
        up = site.devenv("up").ok()
        assert "rootless" not in up.err
        assert site.exec("sh", "-c", "touch made; id -u; stat -c %u made ~ ~/.bashrc").ok().out.split() == (
            4 * [str(site.uid)]
        )
        for name in ("made", "hooked"):
            assert site.path(name).stat().st_uid == site.uid
        site.devenv("run", "--detach", "count.py").ok()
        eventually(lambda: site.runs()["count.py"]["size"] > 0, "output of the run")
        site.devenv("kill", "count.py").ok()
        assert site.devenv("up").ok() and site.view()["drift"] == []
        site.devenv("down", "--force", "--volumes").ok()
    finally:
        rootless_podman.start()
