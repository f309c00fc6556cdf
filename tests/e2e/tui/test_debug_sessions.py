"""Two programs under the debugger, and the terminal UI in which a person says which of them the port leads to."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.daily.site import Site
from tests.kit.tmux import Tmux
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]


def sessions(site: Site) -> dict[str, dict[str, Any]]:
    return {view["name"]: view for view in site.json("debug", "--list")["sessions"]}


def chosen(site: Site) -> list[str]:
    return [name for name, view in sessions(site).items() if view["chosen"]]


@pytest.fixture(autouse=True)
def _nothing_runs(site: Site) -> Iterator[None]:
    """Before and after: what is debugged takes the place of other tests' sessions."""
    _end(site)
    yield
    _end(site)


def _end(site: Site) -> None:
    for view in site.json("runs")["runs"]:
        if view["state"] in ("starting", "running"):
            site.devenv("kill", view["id"], "--force").ok()


def test_the_other_session_is_chosen(site: Site, screen: Tmux) -> None:
    port = site.json("status")["debug"]["port"]
    for name in ("first", "second"):
        site.devenv("debug", "--detach", "--name", name, "train.py").ok()
    assert chosen(site) == ["second"], "the newest one that waits"
    screen.keys("1", "L")
    screen.wait_for("* ◌ second")
    screen.wait_for(f"port {sessions(site)['first']['port']}")
    screen.keys("Up", "Enter")
    screen.wait_for(f"Port {port} leads to first.")
    assert chosen(site) == ["first"]
    screen.keys("L")
    screen.wait_for("* ◌ first")
    screen.keys("Escape")


def test_nothing_to_choose_is_said(screen: Tmux) -> None:
    screen.keys("1", "L")
    screen.wait_for("Nothing is debugged")


def test_a_debugger_comes_into_the_shown_run(site: Site, screen: Tmux) -> None:
    mark = uuid.uuid4().hex[:8]
    site.write("mark", mark)
    screen.keys("1", "r")
    screen.keys("2")
    screen.wait_for(f"epoch one of {mark}")
    screen.keys("B")
    screen.wait_for("debugger ready at 127.0.0.1:")
    (view,) = eventually(lambda: sessions(site).values(), "the session of the run")
    assert (view["name"], view["state"], view["chosen"]) == ("train", "running", True)
    screen.keys("Escape")


def test_a_run_under_the_debugger_is_refused_in_the_supervisors_words(site: Site, screen: Tmux) -> None:
    screen.keys("1", "d")
    screen.wait_for("Waiting for a debugger")  # by then the new run is the shown one
    screen.keys("B")
    screen.wait_for("runs under the debugger already")
    screen.wait_for("attach to it: F5, or devenv status")
