"""Projects of an ordinary user, made for one test each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daily.site import Site
from tests.kit.command import Shell
from tests.kit.engine import Docker
from tests.kit.project import Content
from tests.kit.users import User

Place = Callable[..., Site]


@pytest.fixture
def place(alice: User, engine: Docker, shell: Callable[..., Shell], project: Callable[..., Path]) -> Iterator[Place]:
    """`place({path: content}, user=..., name=..., git=...)`: a new project, not brought up; gone when the test ends."""
    made: list[Site] = []

    def make(files: Mapping[str, Content], *, user: User | None = None, **options: Any) -> Site:
        person = user or alice
        made.append(Site(shell(person, project(person, files, **options)), engine))
        return made[-1]

    yield make
    for site in made:
        with contextlib.suppress(AssertionError):  # not every test brings its project up
            site.devenv("down", "--force", "--volumes")
