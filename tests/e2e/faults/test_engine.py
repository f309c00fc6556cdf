"""The engine killed, restarted and missing, with and without live-restore; a host that was rebooted.

The stated outcomes stand in ARCHITECTURE.md, *What is killed, and what that costs*.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.command import Shell
from tests.kit.engine import PrivateEngine
from tests.kit.fixtures import Images
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(240)]

COUNT = """
import time
for i in range(100_000):
    print(i, flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def counting(
    alice: User, images: Images, shell: Callable[..., Shell], project: Callable[..., Path]
) -> Callable[[PrivateEngine], Shell]:
    """Alice in a project whose container runs on the given engine, with a counting run."""

    def make(engine: PrivateEngine) -> Shell:
        folder = project(alice, {".devcontainer.json": json.dumps({"image": images.python}), "count.py": COUNT})
        here = shell(alice, folder, DOCKER_HOST=engine.host)
        here.run("devenv", "up").ok()
        here.run("devenv", "run", "--detach", "count.py").ok()
        eventually(lambda: runs(here)[0]["size"] > 0, "output of the run", 30)
        return here

    return make


def runs(here: Shell) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here.run("devenv", "runs", "--json").ok().json()["runs"]
    return found


def status(here: Shell) -> dict[str, Any]:
    found: dict[str, Any] = here.run("devenv", "status", "--json").ok().json()["environment"]
    return found


def counted(text: str) -> list[int]:
    return [int(line) for line in text.split()]


def test_with_live_restore_a_killed_engine_costs_nothing(
    restartable_engine: Callable[..., PrivateEngine], counting: Callable[[PrivateEngine], Shell]
) -> None:
    engine = restartable_engine(live_restore=True)
    here = counting(engine)
    before = runs(here)[0]
    engine.kill()
    here.run("devenv", "up").failed(69).says("engine")
    engine.start()
    eventually(lambda: status(here)["status"] == "running", "the container is known again", 30)
    eventually(lambda: runs(here)[0]["size"] > before["size"] + 200, "the run goes on", 30)
    assert runs(here)[0]["state"] == "running"
    here.run("devenv", "exec", "--", "true").ok()
    here.run("devenv", "kill").ok()
    lines = counted(here.run("devenv", "logs").ok().out)
    assert lines == list(range(len(lines))), "a line was lost or doubled"


def test_without_live_restore_up_says_so_and_runs_are_recorded_as_lost(
    restartable_engine: Callable[..., PrivateEngine], counting: Callable[[PrivateEngine], Shell]
) -> None:
    engine = restartable_engine(live_restore=False)
    here = counting(engine)
    assert any("live-restore" in note for note in status(here)["notes"]), "up must say what a restart costs"
    elsewhere = here.having(DOCKER_HOST="unix:///var/run/docker.sock")
    elsewhere.run("devenv", "status").failed(77).says("is on the engine", "DOCKER_HOST names")
    engine.stop()
    engine.start()
    eventually(lambda: status(here)["status"] == "stopped", "the container is seen to be stopped", 30)
    (run,) = runs(here)
    assert run["state"] == "lost"
    assert "container stopped at" in run["reason"]
    here.run("devenv", "run", "count.py").failed(67).says("devenv start")
    here.run("devenv", "start").ok()
    (run,) = runs(here)
    assert run["state"] == "lost"
    lines = counted(here.run("devenv", "logs", run["id"]).ok().out)
    assert lines, "the output of a lost run is kept"
    assert lines == list(range(len(lines)))


def test_a_rebooted_host(
    restartable_engine: Callable[..., PrivateEngine], counting: Callable[[PrivateEngine], Shell], alice: User
) -> None:
    """Engine and supervisor are gone, and so is the folder that the container mounts."""
    engine = restartable_engine(live_restore=False)
    here = counting(engine)
    here.run("devenv", "supervisor", "stop").ok()
    engine.stop()
    for folder in alice.home.glob(".local/state/devenv/*/envs/*/link"):
        shutil.rmtree(folder)
    engine.start()
    assert status(here)["status"] == "stopped"
    here.run("devenv", "up").ok()
    assert status(here)["tier"] == "direct"
    assert runs(here)[0]["state"] == "lost"


def test_no_engine(alice: User, shell: Callable[..., Shell], project: Callable[..., Path]) -> None:
    here = shell(alice, project(alice, {".devcontainer.json": '{"image": "x"}'}), DOCKER_HOST="unix:///run/none.sock")
    here.run("devenv", "up").failed(69).says("no container engine answers at unix:///run/none.sock")
    here.run("devenv", "ls").failed(69)


def test_no_permission_on_the_socket(
    alice: User, shell: Callable[..., Shell], project: Callable[..., Path], tmp_path: Path
) -> None:
    import dataclasses

    outsider = dataclasses.replace(alice, groups=())
    here = shell(outsider, project(alice, {".devcontainer.json": '{"image": "x"}'}))
    here.run("devenv", "supervisor", "stop")
    try:
        here.run("devenv", "up").failed(69).says("no permission", "docker")
    finally:
        here.run("devenv", "supervisor", "stop")
