"""Several configurations in one folder: listed, asked for, remembered for people, never for scripts."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.tmux import Tmux

pytestmark = [pytest.mark.engine, pytest.mark.users]


@pytest.fixture
def site(place: Place, images: Images) -> Site:
    return place(
        {
            ".devcontainer/cpu/devcontainer.json": {"image": images.python_user, "name": "Laptop"},
            ".devcontainer/lab/devcontainer.json": {
                "dockerComposeFile": "compose.yml",
                "service": "app",
                "workspaceFolder": "/workspace",
            },
            ".devcontainer/lab/compose.yml": (
                f"services:\n  app:\n    image: {images.python_user}\n    command: sleep infinity\n    init: true\n"
                "    volumes: ['../..:/workspace']\n"
            ),
            ".devcontainer/old/devcontainer.json": {"image": 3},
        }
    )


def test_a_person_is_asked_once_and_a_script_never(site: Site) -> None:
    refused = site.devenv("up").failed(65)
    refused.says("has several configurations", "choose with --config")
    with site.shell.terminal("devenv", "up", columns=120) as terminal:
        terminal.expect(r"1\. +cpu +Laptop +devenv-rig/python-user")
        terminal.expect(r"2\. +lab +\.devcontainer/lab/compose\.yml, service app")
        terminal.expect(r"Which one\? \[1-3, nothing: none\] ")
        terminal.send("7\n1\n")
        terminal.expect(r"config +\.devcontainer/cpu/devcontainer\.json \(one of 3; devenv configs\)", 120)
        assert terminal.wait() == 0
    with site.shell.terminal("devenv", "status", columns=120) as terminal:
        terminal.expect(r"using \.devcontainer/cpu/devcontainer\.json \(chosen last time; see `devenv configs`\)")
        terminal.expect("Laptop: running")
    site.devenv("status").failed(65)
    listed = site.json("configs")["configs"]
    assert [(v["config"], v["kind"], v["status"], v["remembered"], v["default"]) for v in listed] == [
        ("cpu", "image", "running", True, False),
        ("lab", "compose", "absent", False, False),
        ("old", "", "absent", False, False),
    ]
    assert "image" in listed[2]["problem"]
    site.devenv("configs").ok().says(r"cpu +Laptop +image .* running +chosen last time", "old .*cannot be used")
    assert not list(site.folder.rglob("*.json~")) and sorted(p.name for p in site.folder.iterdir()) == [".devcontainer"]
    site.devenv("down", "--config", "cpu", "--force", "--volumes").ok()


def test_nothing_chosen_is_the_error(site: Site) -> None:
    with site.shell.terminal("devenv", "up", columns=120) as terminal:
        terminal.expect(r"Which one\?")
        terminal.send("\n")
        terminal.expect("choose with --config")
        assert terminal.wait() == 65


def test_the_screen_asks_and_switches(site: Site) -> None:
    site.devenv("up", "--config", "cpu", timeout=120).ok()
    with Tmux(site.shell, "devenv", columns=120, rows=40) as screen:
        screen.wait_for("Which configuration?")
        screen.wait_for("cannot be used")
        screen.keys("Enter")
        screen.wait_for("Laptop")
        screen.wait_for("running")
        screen.keys("C")
        screen.wait_for("shown now")
        screen.keys("Down", "Enter")
        screen.wait_for("No container yet")
        screen.keys("q")
        assert screen.exit_code() == 0
    with Tmux(site.shell, "devenv", columns=120, rows=40) as screen:
        screen.wait_for("The configuration of last time")
        screen.wait_for("lab")
        screen.keys("q")
        assert screen.exit_code() == 0
    site.devenv("down", "--config", "cpu", "--force", "--volumes").ok()
