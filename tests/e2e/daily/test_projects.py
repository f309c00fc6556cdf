"""Folders, paths and configuration files as people have them, good and bad."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.daily.conftest import Founder
from tests.e2e.daily.site import Site
from tests.kit.command import Shell
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.project import Content, devcontainer
from tests.kit.tmux import Tmux
from tests.kit.users import User

pytestmark = [pytest.mark.engine, pytest.mark.users]

Maker = Callable[..., Path]


@pytest.mark.parametrize("name", ["with two spaces", "größe-数据", "a'quote$HOME"])
def test_a_projects_name_may_be_anything(found: Founder, images: Images, name: str) -> None:
    here = found(name, images.python_user)
    assert here.exec("pwd").ok().out == f"/workspaces/{name}\n"
    here.devenv("exec", "--", "echo", "ä b").ok().says("^ä b$")
    here.devenv("run", "greet").failed(3).says("to out 3")
    assert here.view()["name"] == name
    here.devenv("down", "--force", "--volumes").ok()


def test_a_symbolic_link_leads_to_the_same_environment(daily: Site) -> None:
    link = daily.folder.parent / "link-to-daily"
    link.symlink_to(daily.folder)
    try:
        linked = Site(daily.shell.at(link), daily.docker)
        # A shell that went through the link says so in PWD; the process itself knows the real path only.
        for shell in (daily.shell.at(link), daily.shell.at(link).having(PWD=str(link))):
            view = Site(shell, daily.docker).view()
            assert view["container_id"] == daily.container()
        linked.devenv("up", "--folder", str(link)).ok()
        assert linked.json("status", "--folder", str(link))["environment"]["container_id"] == daily.container()
        assert len(daily.containers()) == 1
        assert daily.docker.of_folder(link) == []
    finally:
        link.unlink()


def test_an_unknown_key_of_devcontainer_json_is_told_at_up(
    alice: User, images: Images, shell: Callable[..., Shell], project: Maker
) -> None:
    text = f'{{"image": "{images.python}",\n "forwardPort": [8000]}}'
    here = shell(alice, project(alice, {".devcontainer.json": text}))
    here.run("devenv", "up", timeout=120).ok().says(r"devcontainer\.json:2:2.*forwardPort", "forwardPorts")
    here.run("devenv", "down", "--force", "--volumes").ok()


def test_an_unknown_key_of_devenv_yaml_names_the_nearest(daily: Site) -> None:
    text = daily.path("devenv.yaml").read_text()
    try:
        daily.write("devenv.yaml", "runs:\n  train:\n    scirpt: train.py\nservcies: {}\n")
        outcome = daily.devenv("run", "train").failed(65)
        outcome.says(r"devenv\.yaml:3", "scirpt", r"script", r"devenv\.yaml:4", "servcies", "services")
        daily.exec("true").ok()
        assert any("scirpt" in note for note in daily.view()["notes"])
    finally:
        daily.write("devenv.yaml", text)
    daily.devenv("run", "greet").failed(3)


BAD: dict[str, tuple[str, str]] = {
    "a missing comma": ('{\n  "image": "x"\n  "name": "y"\n}\n', r"devcontainer\.json:2:15"),
    "an open string": ('{\n  "image": "x\n}\n', r"devcontainer\.json:2:"),
    "nothing": ("", r"devcontainer\.json:1:1"),
    "a wrong type": ('{\n  "image": 5\n}\n', r"devcontainer\.json:2"),
    "no image": ('{\n  "name": "x"\n}\n', r"devcontainer\.json"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_malformed_devcontainer_json_is_shown_by_line_and_column(
    alice: User, project: Maker, shell: Callable[..., Shell], case: str
) -> None:
    text, place = BAD[case]
    root = project(alice, {".devcontainer/devcontainer.json": text})
    here = shell(alice, root)
    here.run("devenv", "up").failed(65).says(place)
    error = here.run("devenv", "up", "--json").failed(65).json()["error"]
    assert error["kind"] == "ConfigError"
    assert error["details"]["problems"]


def test_a_folder_without_configuration_offers_one(
    alice: User, project: Maker, shell: Callable[..., Shell], engine: Docker, images: Images
) -> None:
    files: dict[str, Content] = {"requirements.txt": "", ".python-version": "3.11\n", "main.py": "print('zero')\n"}
    root = project(alice, files)
    here = Site(shell(alice, root), engine)
    here.devenv("up").failed(66).says("devenv init", "up --init")
    assert not (root / ".devcontainer").exists()
    with Tmux(here.shell, "devenv", "up") as tmux:
        tmux.wait_for("[Y/n]")
        tmux.type("n\n")
        assert tmux.exit_code() == 66
    assert not (root / ".devcontainer").exists()
    printed = here.devenv("init", "--print").ok()
    printed.says("3.11")
    with Tmux(here.shell, "devenv", "up", columns=120, rows=40) as tmux:
        tmux.wait_for("[Y/n]")
        tmux.keys("Enter")
        assert tmux.exit_code(timeout=110) == 0, tmux.screen()
    assert (root / ".devcontainer/devcontainer.json").stat().st_uid == alice.uid
    here.devenv("run", "main.py").ok().says("^zero$")
    here.devenv("init").failed(77).says("--force")
    here.devenv("down", "--force", "--volumes").ok()


def test_up_init_writes_and_goes_on(
    alice: User, project: Maker, shell: Callable[..., Shell], engine: Docker, images: Images
) -> None:
    here = Site(shell(alice, project(alice, {".python-version": "3.11\n", "main.py": "print('one')\n"})), engine)
    here.devenv("up", "--init", timeout=110).ok()
    here.devenv("run", "main.py").ok().says("^one$")
    here.devenv("down", "--force", "--volumes").ok()


def test_a_missing_image_is_named(alice: User, project: Maker, shell: Callable[..., Shell]) -> None:
    here = shell(alice, project(alice, devcontainer("devenv-rig/no-such-image:1")))
    here.run("devenv", "up").failed(71).says(r"devenv-rig/no-such-image:1")


def test_a_folder_that_is_not_there(daily: Site) -> None:
    daily.devenv("status", "--folder", "/nowhere/at/all").failed().says("/nowhere/at/all")


def test_a_verb_that_does_not_exist_and_wrong_options(daily: Site) -> None:
    daily.devenv("stauts").failed(64).says("status")
    daily.devenv("up", "--rebild").failed(64).says("--rebuild")
    daily.devenv("exec").failed(64).says("COMMAND")


def test_nothing_is_up_yet(alice: User, project: Maker, shell: Callable[..., Shell], images: Images) -> None:
    here = shell(alice, project(alice, devcontainer(images.python_user)))
    here.run("devenv", "exec", "true").failed(67).says("devenv up")
    here.run("devenv", "run", "x.py").failed(67).says("devenv up")
    here.run("devenv", "start").failed(67).says("devenv up")
    assert here.run("devenv", "status", "--json").ok().json()["environment"]["status"] == "absent"
    here.run("devenv", "stop").ok()
    here.run("devenv", "down").ok()
    assert os.path.isdir(here.cwd)
