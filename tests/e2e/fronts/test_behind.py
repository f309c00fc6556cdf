"""Lifecycle commands that still run after `up` has returned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.tmux import Tmux
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

SENTENCE = r"postCreateCommand still runs \(devenv up --wait waits for it\)"
# Until the file `go` says how it ends.
COMMAND = "until [ -e go ]; do sleep 0.1; done; echo looked at go; exit $(cat go)"


@pytest.fixture
def site(place: Place, images: Images) -> Site:
    config = {"image": images.python_user, "waitFor": "onCreateCommand", "postCreateCommand": COMMAND}
    return place({".devcontainer.json": config, "hello.py": "print('hello')\n"})


def test_it_is_said_until_it_has_ended(site: Site) -> None:
    site.devenv("up", timeout=120).ok().says(SENTENCE)
    site.devenv("up").ok().says(SENTENCE)
    site.devenv("status").ok().says(SENTENCE)
    assert site.view()["pending"] == ["postCreateCommand"]
    with site.shell.terminal("devenv", "run", "hello.py", columns=120) as terminal:
        terminal.expect(f"devenv: {SENTENCE}")
        terminal.expect("hello")
    assert site.devenv("run", "hello.py").ok().err == ""
    site.devenv("stop").failed(68).says(SENTENCE, "devenv stop --force")
    site.write("go", "0")
    site.devenv("up", "--wait").ok()
    assert site.view()["pending"] == [] and site.status()["operation"]["error"] == ""


def test_who_stops_waiting_does_not_end_it_and_force_does(site: Site) -> None:
    site.devenv("up", timeout=120).ok()
    with site.shell.terminal("devenv", "up", "--wait") as terminal:
        terminal.expect("postCreateCommand")
        terminal.send("\x03")
        terminal.wait()
    assert site.view()["pending"] == ["postCreateCommand"]
    site.devenv("stop", "--force").ok()
    assert site.view()["status"] == "stopped"
    site.write("go", "0")
    site.devenv("up").ok()
    eventually(lambda: site.view()["pending"] == [], "the second attempt")
    operation = site.status()["operation"]
    assert (operation["verb"], operation["running"], operation["error"]) == ("hooks", False, "")
    site.devenv("logs", "--build").ok().says("^postCreateCommand: until", "^looked at go$")


def test_the_screen_shows_it_and_how_it_failed(site: Site) -> None:
    site.devenv("up", timeout=120).ok()
    with Tmux(site.shell, "devenv", columns=120, rows=40) as screen:
        screen.wait_for("lifecycle commands")
        site.write("go", "7")
        screen.wait_for("lifecycle commands failed")
        screen.wait_for("u runs it again")
        site.write("go", "0")
        screen.keys("u")
        eventually(lambda: "failed" not in screen.screen(), "another attempt")
        screen.wait_for("running")
    assert Path(site.path("go")).exists()
