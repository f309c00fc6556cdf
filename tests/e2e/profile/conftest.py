"""One environment of an ordinary user for the whole folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import own_name, place
from tests.e2e.profile.programs import PROGRAMS
from tests.kit.command import Shell
from tests.kit.fixtures import Images
from tests.kit.users import User


@pytest.fixture(scope="session")
def lab(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Site]:
    """The container's user has alice's uid."""
    with place(shell, alice, own_name("profile"), images.python_user, PROGRAMS) as site:
        yield site


@pytest.fixture
def idle(lab: Site) -> Iterator[Site]:
    """`lab` without a run before and after."""
    yield lab
    for run in lab.json("runs")["runs"]:
        if run["state"] == "running":
            lab.devenv("kill", run["id"]).ok()
