"""Every command of the README's daily loop, as it stands there, in a copy of the example, by an ordinary user.

The two set-up commands have tests of their own (setup.sh ends with everything running; test.sh is what runs this).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.kit import rig
from tests.kit.command import Shell
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.project import give_to
from tests.kit.users import User

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(300)]

README = rig.ROOT / "README.md"
EXAMPLE = rig.ROOT / "examples" / "digits-pytorch"


def daily_commands() -> list[str]:
    """The lines of the block marked `sh daily`, without their comments."""
    block = re.search(r"```sh daily\n(.*?)```", README.read_text(), re.S)
    assert block is not None, "the README has lost its daily loop"
    return [line.split("#")[0].strip() for line in block[1].splitlines() if line.strip()]


@pytest.fixture(scope="module")
def example(bob: User, images: Images, engine: Docker, shell: Callable[..., Shell]) -> Iterator[Shell]:
    folder = bob.home / "readme-example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "runs", "outputs", ".vscode"))
    give_to(folder, bob)
    here = shell(bob, folder)
    try:
        yield here
    finally:
        here.run("devenv", "down", "--force", "--volumes", timeout=60)
        engine.remove_project(folder)
        shutil.rmtree(folder)


def test_the_daily_loop_works_as_the_readme_says(example: Shell) -> None:
    commands = daily_commands()
    assert len(commands) >= 15
    for command in commands:
        example.run(*command.split(), timeout=240).ok()


def test_every_verb_that_the_readme_names_exists() -> None:
    from devenv.cli.main import VERBS

    named = set(re.findall(r"`?devenv ([a-z]+)\b", README.read_text())) - {"alone"}
    words = {"in", "stop", "is", "does"}
    assert named - words <= set(VERBS), named - set(VERBS)
