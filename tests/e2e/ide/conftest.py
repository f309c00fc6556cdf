"""One environment for most tests of the debugger; those that need another container bring up their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import own_name, place
from tests.e2e.ide.programs import PROGRAMS
from tests.kit.command import Shell
from tests.kit.fixtures import Images
from tests.kit.users import User


@pytest.fixture(scope="session")
def studio(alice: User, shell: Callable[..., Shell], images: Images) -> Iterator[Site]:
    """The common case: an ordinary user on both sides, a Git repository."""
    with place(shell, alice, own_name("studio"), images.python_user, PROGRAMS, git=True) as site:
        yield site
