"""The terminal UI on a real terminal, a real supervisor and a real container, as an ordinary user works with it."""

from __future__ import annotations

import uuid

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.tui.conftest import FILES
from tests.kit.tmux import Tmux
from tests.kit.waiting import eventually
from tui.actions import ACTIONS, BY_ID

pytestmark = [pytest.mark.engine, pytest.mark.users]


def live(site: Site) -> list[str]:
    return [view["id"] for view in site.json("runs")["runs"] if view["state"] in ("starting", "running")]


@pytest.fixture(autouse=True)
def _nothing_runs(site: Site) -> None:
    for run in live(site):
        site.devenv("kill", run, "--force").ok()


def test_a_run_is_started_heard_and_ended(site: Site, screen: Tmux) -> None:
    first = screen.wait_for("train")
    assert "digits" in first
    mark = uuid.uuid4().hex[:8]  # what earlier runs printed may still stand on the screen
    site.write("mark", mark)
    screen.keys("1", "r")
    screen.keys("2")
    screen.wait_for(f"epoch one of {mark}")
    screen.keys("i")
    screen.type("hello")
    screen.keys("Enter")
    screen.wait_for("heard hello")
    screen.keys("C-]")
    screen.keys("x")
    eventually(lambda: not live(site), "the end of the run")


def test_the_terminal_of_a_run_has_the_size_of_its_pane(site: Site, screen: Tmux) -> None:
    mark = uuid.uuid4().hex[:8]
    site.write("mark", mark)
    screen.keys("1", "r")
    screen.keys("2")
    screen.wait_for(f"epoch one of {mark}")
    before = screen.screen().count("columns of")
    screen.resize(screen.columns + 20, screen.rows)
    eventually(lambda: screen.screen().count("columns of") > before, "a new size in the program")


def test_debug_says_where_it_waits(site: Site, screen: Tmux) -> None:
    port = site.json("status")["debug"]["port"]
    screen.keys("1", "d")
    # A narrow screen cuts the title behind the word: there the message at the corner has the address.
    screen.wait_for("Waiting for a debugger")
    screen.wait_for(f"127.0.0.1:{port}")
    state = eventually(lambda: (now := site.status()["debug"])["waiting"] and now, "a run that waits")
    assert [state["run"]] == live(site)
    assert state["port"] == port


def test_tests_are_counted(site: Site, screen: Tmux) -> None:
    mark = uuid.uuid4().hex[:8]  # results of an earlier test do not have this name in them
    site.write("test_it.py", FILES["test_it.py"].replace("it_fails", f"it_fails_{mark}"))
    before = site.status()["tests"]["run"]
    screen.keys("t", "3")
    screen.wait_for(f"✘ test_it_fails_{mark}")
    screen.wait_for("✔ 2  ✘ 1  in ")
    tests = site.status()["tests"]
    assert (tests["passed"], tests["failed"]) == (2, 1)
    assert tests["run"] != before
    screen.keys("v")
    shown = screen.wait_for("1 failed, 2 passed")  # what pytest prints
    assert '"e":' not in shown, "the structured lines between it are not for people"


def test_ports_have_addresses(site: Site, screen: Tmux) -> None:
    screen.keys("4")
    screen.wait_for("site")
    screen.wait_for("8123")


def test_help_lists_every_action(screen: Tmux) -> None:
    screen.keys("?")
    seen = screen.wait_for(ACTIONS[0].text)
    for _ in range(20):
        screen.keys("PageDown")
        seen += eventually(screen.screen, "a screen")
        if all(action.text in seen for action in ACTIONS):
            break
    assert [action.text for action in ACTIONS if action.text not in seen] == []


def test_the_palette_finds_an_action(screen: Tmux) -> None:
    screen.keys("C-p")
    screen.wait_for("Search")
    screen.type("show all keys")
    screen.wait_for(f"{BY_ID['help'].text}  (?)")
    eventually(lambda: BY_ID["rebuild"].text not in screen.screen(), "only what was searched")
    screen.keys("Enter")
    screen.wait_for("Esc closes")
    screen.wait_for(BY_ID["up"].text)


def test_a_lost_supervisor_is_told_and_comes_back(site: Site, screen: Tmux) -> None:
    screen.keys("1", "r")
    run = eventually(lambda: live(site), "a live run")
    site.kill_supervisor()
    screen.wait_for("went away")
    eventually(lambda: "went away" not in screen.screen(), "the banner is gone again")
    screen.wait_for("running")
    assert live(site) == run


def test_leaving_leaves_the_runs_alive(site: Site, screen: Tmux) -> None:
    screen.keys("1", "r")
    run = eventually(lambda: live(site), "a live run")
    screen.keys("q")
    assert screen.exit_code() == 0
    assert live(site) == run
