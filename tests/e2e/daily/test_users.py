"""The daily loop with every kind of container user and container: one round of all that a person does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.daily.conftest import Founder
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

READ_ONLY = ["--read-only", "--tmpfs", "/tmp"]

# name -> (image, properties, id -u inside; None: the host user's)
KINDS: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "user": ("python_user", {}, None),
    "root": ("python", {}, 0),
    "arbitrary": ("python", {"containerUser": "4321", "updateRemoteUserUID": False}, 4321),
    "arbitrary-remote": ("python_user", {"remoteUser": "4321", "updateRemoteUserUID": False}, 4321),
    "read-only": ("python_user", {"runArgs": READ_ONLY}, None),
    "no-init": ("python_user", {"init": False}, None),
    "host-network": ("python_user", {"runArgs": ["--network=host"]}, None),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
def test_a_round_of_the_daily_loop(kind: str, found: Founder, images: Images) -> None:
    image, properties, uid = KINDS[kind]
    here = found(f"kind-{kind}", getattr(images, image), up=False, **properties)
    here.path("made").mkdir()
    here.path("made").chmod(0o777)
    up = here.devenv("up", "--json").ok().json()["environment"]
    assert up["status"] == "running"
    expected = here.uid if uid is None else uid
    facts = here.exec("sh", "-c", "id -u; pwd; cat streams.py | head -n 1").ok().out.splitlines()
    assert facts == [str(expected), up["workspace_folder"], "import sys"]
    here.exec("sh", "-c", "umask 022; echo text > made/by-exec").ok()
    made = here.path("made/by-exec")
    assert made.read_text() == "text\n"
    assert made.stat().st_uid == expected

    here.devenv("run", "streams.py", "6").failed(6).says("^to out 6$", "^to err$")
    started = here.json("run", "--detach", "family.py")["run"]
    with here.background("attach", started["id"]) as joined:
        joined.expect("family is there")
    here.devenv("stop").failed(68).says("family.py", "--force")
    assert len(here.inside("sleep 700")) == 2
    here.devenv("kill", started["id"]).ok()
    assert here.inside("sleep 700") == []

    debug = here.devenv("debug", "--detach", "--no-launch-json", "wait.py")
    if kind == "host-network":  # every user of the host would reach it
        debug.failed(77).says("--allow-host-network")
    else:
        debug.ok()
        assert here.status()["debug"]["waiting"]
        here.devenv("kill", "wait.py").ok()

    here.devenv("stop").ok()
    assert here.view()["status"] == "stopped"
    here.exec("true").failed(67).says("devenv start")
    here.devenv("start").ok()
    here.exec("cat", "made/by-exec").ok().says("text")
    assert "family is there" in here.devenv("logs", started["id"]).ok().out
    here.devenv("down", "--force", "--volumes").ok()
    assert here.containers() == []
    assert made.exists()


def test_with_the_hosts_network_nothing_is_forwarded(found: Founder, images: Images) -> None:
    here = found("host-ports", images.python_user, runArgs=["--network=host"], forwardPorts=[7501])
    views = {view["port"]: view for view in here.json("ports")["ports"]}
    assert (views[7501]["source"], views[7501]["host_port"]) == ("direct", 7501)
    with here.background("run", "-m", "http.server", "--bind", "127.0.0.1", "7501") as server:

        def answered() -> bool:
            assert here.shell.run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7501").rc == 0, server.err
            return True

        eventually(answered, "the server")
        here.devenv("kill").ok()
    here.devenv("down", "--force", "--volumes").ok()


def test_a_new_file_belongs_to_the_host_user(daily: Site) -> None:
    daily.exec("sh", "-c", "mkdir -p deep/er && touch deep/er/file").ok()
    for name in ("deep", "deep/er", "deep/er/file"):
        assert daily.path(name).stat().st_uid == daily.uid


def test_root_images_say_whose_outputs_will_be(found: Founder, images: Images) -> None:
    here = found("root-note", images.python, up=False)
    here.devenv("up").ok().says("(?i)root")
    here.devenv("down", "--force", "--volumes").ok()
