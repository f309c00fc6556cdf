"""A browser that writes down what it is asked to open."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.e2e.daily.site import Site
from tests.kit.users import User


@dataclasses.dataclass(frozen=True)
class FakeBrowser:
    """A program for `BROWSER`, and the addresses that it got."""

    program: Path
    file: Path

    @property
    def opened(self) -> list[str]:
        return self.file.read_text().split() if self.file.exists() else []

    def beside(self, site: Site) -> Site:
        """The site for a person who sits at a display with this browser."""
        return Site(site.shell.having(DISPLAY=":0", BROWSER=f"{self.program} %s"), site.docker)


@pytest.fixture
def browser(alice: User) -> FakeBrowser:
    file = alice.home / "opened"
    file.unlink(missing_ok=True)
    program = alice.home / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" >> {file}\n')
    program.chmod(0o755)
    return FakeBrowser(program, file)
