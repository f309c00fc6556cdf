"""Environments of the daily loop, each brought up once for the whole folder."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.e2e.daily.programs import PROGRAMS, SETTINGS
from tests.e2e.daily.site import Site
from tests.kit.command import Shell
from tests.kit.engine import Docker, DockerFailed
from tests.kit.fixtures import Images
from tests.kit.project import Content, devcontainer, write_project
from tests.kit.users import User


class Founder(Protocol):
    """`found("name", image, user=alice, **properties)`: a project with that container, brought up."""

    def __call__(
        self,
        name: str,
        image: str,
        *,
        user: User | None = None,
        files: Mapping[str, Content] | None = None,
        up: bool = True,
        **properties: Any,
    ) -> Site: ...


@pytest.fixture(scope="session")
def found(alice: User, engine: Docker, shell: Callable[..., Shell]) -> Iterator[Founder]:
    made: list[Path] = []

    def make(
        name: str,
        image: str,
        *,
        user: User | None = None,
        files: Mapping[str, Content] | None = None,
        up: bool = True,
        **properties: Any,
    ) -> Site:
        person = user or alice
        root = person.home / "work" / name
        made.append(root)
        root.parent.mkdir(exist_ok=True)
        shutil.chown(root.parent, person.uid, person.gid)
        content = {**devcontainer(image, **properties), "devenv.yaml": SETTINGS, **PROGRAMS, **(files or {})}
        write_project(root, content, owner=person)
        site = Site(shell(person, root), engine)
        if up:
            site.devenv("up", timeout=120).ok()
        return site

    yield make
    for root in made:
        with contextlib.suppress(DockerFailed):
            engine.remove_project(root)
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def daily(found: Founder, images: Images) -> Site:
    """The common case: a container user whose uid follows the host's."""
    return found("daily", images.python_user)
