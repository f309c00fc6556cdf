"""A Compose project in daily work: an application, its database with a health check, a volume."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.programs import PROGRAMS
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.project import Content
from tests.kit.tmux import Tmux
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

COMPOSE = """
services:
  app:
    build: {context: ., args: {BASE: %s}}
    command: sleep infinity
    init: true
    environment: {MODE: one}
    volumes: ["..:/workspace", "data:/data"]
    depends_on: {db: {condition: service_healthy}}
  db:
    image: %s
    command: ["sh", "-c", "mkdir /www; echo rows > /www/table; exec httpd -f -p 5432 -h /www"]
    init: true
    healthcheck: {test: ["CMD", "wget", "-q", "-O", "/ready", "http://localhost:5432/table"], interval: 200ms}
volumes: {data: {}}
"""
DOCKERFILE = "ARG BASE\nFROM $BASE\nUSER root\nRUN install -d -m 777 /data\nUSER dev\n"
CONFIG: dict[str, Any] = {
    "name": "Shop",
    "dockerComposeFile": "compose.yml",
    "service": "app",
    "workspaceFolder": "/workspace",
    "forwardPorts": ["db:5432"],
    "portsAttributes": {"db:5432": {"label": "Rows"}},
}
FILE = ".devcontainer/compose.yml"
QUERY = "import urllib.request as r; print(r.urlopen('http://db:5432/table').read())"

# Who is inside -> (properties of the configuration, what `id -u` says there; None: the host user's)
USERS: dict[str, tuple[dict[str, Any], int | None]] = {
    "the image's user": ({}, None),
    "root": ({"remoteUser": "root"}, 0),
    "1000": ({"updateRemoteUserUID": False}, 1000),
    "arbitrary": ({"remoteUser": "4321"}, 4321),
}


def shop(place: Place, images: Images, **more: Any) -> Site:
    files: dict[str, Content] = {
        ".devcontainer/devcontainer.json": {**CONFIG, **more},
        FILE: COMPOSE % (images.python_user, images.busybox),
        ".devcontainer/Dockerfile": DOCKERFILE,
    }
    return place({**files, **PROGRAMS})


def left(site: Site) -> list[str]:
    """All that there is of a project: on the engine by Compose's names and ours, and what devenv has noted."""
    project, docker = f"{site.folder.name}_devcontainer", site.docker
    found = docker.containers(f"label=com.docker.compose.project={project}") + site.containers()
    for kind in ("network", "volume"):
        found += docker(kind, "ls", "--quiet", f"--filter=label=com.docker.compose.project={project}").split()
    key = site.view()["key"]
    found += [name for name in docker("volume", "ls", "--quiet").split() if key in name]
    images = docker("images", "--format", "{{.Repository}}").split()
    found += [name for name in images if name.startswith(site.folder.name)]
    return found + [path.name for path in Path(site.json("supervisor")["state"], "envs", key).iterdir()]


@pytest.mark.parametrize("who", USERS)
def test_a_day_with_a_database(who: str, place: Place, images: Images) -> None:
    properties, uid = USERS[who]
    site = shop(place, images, **properties)
    up = site.devenv("up", timeout=120).ok()
    up.says("^Shop: running", "-db-1 +Healthy", "devenv compose up")
    assert site.exec("id", "-u").ok().out == f"{site.uid if uid is None else uid}\n"
    assert site.exec("python3", "-c", QUERY).ok().out == "b'rows\\n'\n"
    site.exec("sh", "-c", "echo kept > /data/file; cat /workspace/streams.py > /dev/null").ok()

    with site.shell.terminal("devenv", "run", "talk.py", rows=20, columns=70) as terminal:
        terminal.expect("hello, terminal")
        terminal.hang_up()
    run = site.runs()["talk.py"]
    assert run["state"] == "running"
    with site.shell.terminal("devenv", "attach", run["id"]) as terminal:
        terminal.expect("hello, terminal")
        terminal.send("bye\n")
        assert terminal.wait() == 5

    (forward,) = (port for port in site.json("ports")["ports"] if port["container_host"] == "db")
    with urllib.request.urlopen(f"http://{forward['host']}:{forward['host_port']}/table", timeout=10) as answer:
        assert answer.read() == b"rows\n"
    site.devenv("ports").ok().says(r"^5432 .* Rows .* db:5432")

    site.devenv("stop").ok()
    assert not any(site.docker.inspect(one)["State"]["Running"] for one in compose_containers(site))
    site.devenv("start").ok()
    assert site.exec("sh", "-c", "cat /data/file").ok().out == "kept\n"
    assert site.exec("python3", "-c", QUERY).ok().out == "b'rows\\n'\n"
    site.devenv("down", "--volumes", "--force").ok().says("^Shop is gone$")
    assert left(site) == ["up.lock"]


def compose_containers(site: Site) -> list[str]:
    return site.docker.containers(f"label=com.docker.compose.project={site.folder.name}_devcontainer")


def by_hand(site: Site) -> None:
    """`docker compose up` as a person types it, and as CI does."""
    words = ("docker", "compose", "-p", f"{site.folder.name}_devcontainer", "-f", FILE)
    site.shell.run(*words, "up", "-d", "--build", timeout=120).ok()


def test_edits_and_compose_by_hand(place: Place, images: Images) -> None:
    site = shop(place, images)
    site.devenv("up", timeout=120).ok()
    first = site.view()["container_id"]
    site.write(FILE, site.path(FILE).read_text().replace("MODE: one", "MODE: two"))
    site.devenv("status").ok().says("service environment.MODE")
    site.devenv("up").ok().says("service environment.MODE", "devenv rebuild")
    assert (site.view()["container_id"], site.exec("printenv", "MODE").ok().out) == (first, "one\n")
    database = [one for one in compose_containers(site) if one != first]
    site.devenv("rebuild", timeout=120).ok()
    assert site.exec("printenv", "MODE").ok().out == "two\n"
    assert [one for one in compose_containers(site) if one != site.view()["container_id"]] == database
    assert site.view()["drift"] == []

    ended = site.json("run", "--detach", "streams.py", "first")["run"]["id"]
    eventually(lambda: site.runs()["streams.py"]["state"] != "running", "the end of the run")
    ours = site.view()["container_id"]
    by_hand(site)
    up = site.devenv("up", timeout=120).ok()
    up.says("which `docker compose` made by itself; outputs of earlier runs are kept: `devenv rebuild`")
    assert site.view()["container_id"] != ours and site.view()["adopted"]
    assert site.exec("printenv", "MODE").ok().out == "two\n"
    site.devenv("run", "streams.py", "4").failed(4).says("^to out 4$")
    site.devenv("down").failed(77).says("another tool", "--force")
    site.devenv("rebuild", "--force", timeout=120).ok()
    assert not site.view()["adopted"]
    site.devenv("logs", ended).ok().says("^to out first$")
    site.devenv("down", "--volumes", "--force").ok()
    assert left(site) == ["up.lock"]


def test_a_sick_service_is_told_and_mended_by_an_edit(place: Place, images: Images) -> None:
    site = shop(place, images)
    text = site.path(FILE).read_text()
    site.write(FILE, text.replace("5432/table", "5432/none").replace("200ms", "100ms, retries: 3"))
    with Tmux(site.shell, "devenv", "up", columns=120, rows=40) as screen:
        assert screen.exit_code(60) == 69
        assert "devcontainer-db-1 is unhealthy" in screen.screen()
    assert compose_containers(site) != []
    site.devenv("down", "--volumes").ok().says("^Shop is gone$")
    assert left(site) == ["up.lock"]
    site.devenv("down").ok().says("^Shop has no container$")
    site.devenv("up", timeout=120).failed(69)
    site.write(FILE, text)
    site.devenv("up", timeout=120).ok()
    assert site.exec("python3", "-c", QUERY).ok().out == "b'rows\\n'\n"

    site.write(FILE, text.replace("echo rows", "echo more rows"))
    site.devenv("status").ok().says("service db: .as made. -> .edited.", "devenv rebuild")
    site.devenv("up").ok().says("service db")
    assert site.exec("python3", "-c", QUERY).ok().out == "b'rows\\n'\n"
    site.devenv("rebuild", timeout=120).ok()
    assert site.exec("python3", "-c", QUERY).ok().out == "b'more rows\\n'\n"
    assert site.view()["drift"] == []
