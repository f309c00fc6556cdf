"""Before the files go for the first time: what would travel is shown, and a person decides."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Place
from tests.kit.fixtures import Images
from tests.kit.project import Content
from tests.kit.tmux import Tmux

pytestmark = [pytest.mark.engine, pytest.mark.users]

SECRET = "AWS_SECRET_ACCESS_KEY=abc\n"


def files(images: Images) -> dict[str, Content]:
    config = {"image": images.python_user, "remoteUser": "dev"}
    return {".devcontainer.json": config, "devenv.yaml": "sync:\n  on: always\n", ".env": SECRET, "a.py": "1\n"}


def test_a_script_is_refused_and_says_how(place: Place, images: Images) -> None:
    site = place(files(images))
    refused = site.devenv("up").failed(77)
    refused.says("there is something to look at", r"\.env", "--send all", "--send rest")
    assert site.containers() == []
    site.devenv("up", "--send", "rest", timeout=120).ok()
    assert ".env" in site.path(".devenvignore").read_text()
    assert site.exec("ls", "-A").ok().out.split() == [
        ".devcontainer.json",
        ".devenv",
        ".devenvignore",
        "a.py",
        "devenv.yaml",
    ]
    assert site.path(".env").read_text() == SECRET
    site.devenv("rebuild", timeout=120).ok()


def test_a_person_is_asked(place: Place, images: Images) -> None:
    site = place(files(images))
    with Tmux(site.shell, "devenv", "up", columns=110) as screen:
        screen.wait_for("Copy [a]ll, [r]est without secrets and big files, or [N]othing?")
        screen.type("n\n")
        assert screen.exit_code() == 77
    assert site.containers() == []
    with Tmux(site.shell, "devenv", "up", columns=110) as screen:
        screen.wait_for("or [N]othing?")
        screen.type("a\n")
        assert screen.exit_code(100) == 0, screen.screen()
    assert site.exec("cat", ".env").ok().out == SECRET
    assert not site.path(".devenvignore").exists()
