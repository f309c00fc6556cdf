"""shutdownAction: what becomes of an environment when its window is closed."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Place
from tests.e2e.daily.site import Site
from tests.kit.fixtures import Images
from tests.kit.tmux import Tmux

pytestmark = [pytest.mark.engine, pytest.mark.users]


def status(site: Site) -> str:
    return str(site.view()["status"])


@pytest.fixture
def site(place: Place, images: Images) -> Site:
    config = {"image": images.python_user, "shutdownAction": "stopContainer"}
    made = place({".devcontainer.json": config, "wait.py": "input()\n"})
    made.devenv("up", timeout=120).ok()
    return made


def leave(screen: Tmux) -> str:
    screen.wait_for("running")
    screen.keys("q")
    assert screen.exit_code() == 0
    return screen.screen()


def test_a_written_stop_happens_when_nothing_needs_the_environment(site: Site) -> None:
    assert site.view()["shutdown_action"] == "stopContainer"
    with Tmux(site.shell, "devenv", columns=140) as screen:
        assert "is stopped, as its shutdownAction asks" in leave(screen)
    assert status(site) == "stopped"
    site.devenv("start").ok()
    site.devenv("run", "-d", "wait.py").ok()
    with Tmux(site.shell, "devenv", columns=140) as screen:
        said = leave(screen)
        assert "goes on, although shutdownAction" in said and "wait.py still runs" in said
    assert status(site) == "running"


def test_another_window_or_an_open_shell_keeps_it_up(site: Site) -> None:
    with Tmux(site.shell, "devenv", columns=140) as other:
        other.wait_for("running")
        with Tmux(site.shell, "devenv", columns=140) as screen:
            assert "another window shows it" in leave(screen)
        assert status(site) == "running"
        with site.shell.terminal("devenv", "shell") as shell:
            shell.expect(r"[$#] ")
            assert "a command or a shell is open in it" in leave(other)
        assert status(site) == "running"


@pytest.mark.parametrize("said", [{}, {"shutdownAction": "none"}], ids=["not said", "none"])
def test_without_that_word_environments_outlive_windows(place: Place, images: Images, said: dict[str, str]) -> None:
    site = place({".devcontainer.json": {"image": images.python_user, **said}})
    site.devenv("up", timeout=120).ok()
    with Tmux(site.shell, "devenv", columns=140) as screen:
        assert "shutdownAction" not in leave(screen)
    assert status(site) == "running"
