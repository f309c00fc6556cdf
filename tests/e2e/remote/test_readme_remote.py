"""Every command that the README gives for another machine, as it stands there, by an ordinary user."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.e2e.remote.conftest import Far
from tests.kit import rig

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(240)]


@pytest.mark.usefixtures("gpu_box", "own_settings")
def test_the_commands_work_as_the_readme_says(far: Callable[..., Far]) -> None:
    block = re.search(r"```sh remote\n(.*?)```", (rig.ROOT / "README.md").read_text(), re.S)
    assert block is not None, "the README has lost its other machine"
    commands = [line.split("#")[0].split() for line in block[1].splitlines()]
    assert len(commands) >= 4
    mount = "source=${localWorkspaceFolder},target=/workspaces/readme,type=bind"
    here = far("readme", workspaceMount=mount)
    for command in commands:
        words = ["gpu-box" if word == "me@gpu.example" else "box" if word == "gpu-box" else word for word in command]
        assert words.pop(0) == "devenv"
        outcome = here.devenv(*words).ok()
    outcome.says("^in step")
    assert here.status()["host"] == "box"
