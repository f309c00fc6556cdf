"""`devenv compose`: Compose by hand, with the environment's own files."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images

pytestmark = [pytest.mark.engine, pytest.mark.users]


@pytest.fixture
def site(place: Place, images: Images) -> Site:
    compose = (
        f"services:\n  app:\n    image: {images.python_user}\n    command: sleep infinity\n    init: true\n"
        "    volumes: ['..:/workspace']\n    environment: {FROM_DOT_ENV: '${WORD:-none}'}\n"
        f"  side:\n    image: {images.busybox}\n    command: ['sh', '-c', 'echo from the side; exec sleep 1000']\n"
        "    init: true\n"
    )
    config = {"dockerComposeFile": "compose.yml", "service": "app", "workspaceFolder": "/workspace"}
    files = {".devcontainer/devcontainer.json": config, ".devcontainer/compose.yml": compose}
    return place({**files, ".devcontainer/.env": "WORD=written\n", ".env": "WORD=not read\n", "src/a.txt": "a\n"})


def test_by_hand_nothing_is_made_anew(site: Site) -> None:
    site.devenv("compose", "ps").failed(67).says("has no containers yet", "devenv up")
    site.devenv("up", timeout=120).ok()
    before = site.view()["container_id"]
    below = Site(site.shell.at(site.folder / "src"), site.docker)
    for here in (site, below):
        here.devenv("compose", "up", "-d", timeout=120).ok()
        listed = here.devenv("compose", "ps", "--format", "{{.Service}}").ok().out.split()
        assert sorted(listed) == ["app", "side"]
        assert site.view()["container_id"] == before
    below.devenv("compose", "logs", "side").ok().says("from the side")
    below.devenv("compose", "cp", "app:/etc/hostname", "here.txt").ok()
    assert (site.folder / "src" / "here.txt").exists(), "paths are relative to where the person stands"
    assert site.exec("printenv", "FROM_DOT_ENV").ok().out == "written\n"
    site.devenv("compose", "exec", "-T", "side", "sh", "-c", "exit 7").failed(7)


def test_without_compose_it_says_so(place: Place, images: Images) -> None:
    site = place({".devcontainer.json": {"image": images.python_user}})
    site.devenv("compose", "ps").failed(64).says("is made from an image, not by Docker Compose", "dockerComposeFile")
    site.devenv("compose").failed(64).says("ARGS are missing")


def test_without_devenv_the_output_of_runs_waits_for_a_rebuild(site: Site) -> None:
    site.devenv("up", timeout=120).ok()
    site.write("hello.py", "print('said before')\n")
    site.devenv("run", "--name", "hello", "hello.py").ok()
    project = f"{site.folder.name}_devcontainer".lower()
    site.shell.run("docker", "compose", "-p", project, "-f", ".devcontainer/compose.yml", "up", "-d", timeout=120).ok()
    for words in (("logs", "hello"), ("logs", "--follow", "hello")):
        site.devenv(*words).failed(66).says("the output of hello", "not in this container", "devenv rebuild")
    site.devenv("rebuild", timeout=120).ok()
    assert site.devenv("logs", "hello").ok().out == "said before\n"
