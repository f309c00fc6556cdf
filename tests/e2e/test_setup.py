"""README command 1, `./setup.sh --yes`, in a clean clone by an ordinary user; engine and image are there already.

Installing the engine itself needs a machine of its own and is not repeated here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import rig
from tests.kit.command import Shell
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.project import give_to
from tests.kit.users import User

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def clone(bob: User, images: Images, engine: Docker) -> Iterator[Shell]:
    """Bob in his clone, with nothing of devenv installed."""
    folder = bob.home / "devenv-clone"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{rig.ROOT}", folder], check=True)
    give_to(folder, bob)
    here = Shell(bob, folder, (bob.home / ".local" / "bin",))
    try:
        yield here
    finally:
        example = here.at(folder / "examples" / "digits-pytorch")
        example.run("devenv", "down", "--force", "--volumes", timeout=60)
        example.run("devenv", "supervisor", "stop")
        engine.remove_project(example.cwd)
        shutil.rmtree(folder)


def test_setup_ends_with_everything_running_and_is_safe_to_repeat(clone: Shell) -> None:
    first = clone.run("./setup.sh", "--yes", timeout=360).ok()
    first.says(r"127\.0\.0\.1:\d+", "(?i)jupyter", "(?i)tensorboard", "devenv")
    example: Path = clone.cwd / "examples" / "digits-pytorch"
    found = json.loads(clone.at(example).run("devenv", "status", "--json").ok().out)
    assert found["environment"]["status"] == "running"
    assert {service["name"]: service["state"] for service in found["services"]} == {
        "jupyter": "running",
        "tensorboard": "running",
    }
    live = [run for run in found["runs"] if run["kind"] == "debug" and run["state"] == "running"]
    assert len(live) == 1
    assert found["debug"]["port"] > 0
    clone.run("./setup.sh", "--yes", timeout=120).ok()
    again = json.loads(clone.at(example).run("devenv", "status", "--json").ok().out)
    assert again["environment"]["container_id"] == found["environment"]["container_id"]
    assert [run["id"] for run in again["runs"] if run["kind"] == "debug" and run["state"] == "running"] == [
        live[0]["id"]
    ]
