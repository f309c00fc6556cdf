"""The container that `up` makes, beside the reference's in the same folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.dropin.containers import PROJECTS, Run, assert_same
from tests.kit.engine import Docker
from tests.kit.project import write_project

pytestmark = [pytest.mark.engine, pytest.mark.node]


@pytest.mark.parametrize("name", PROJECTS)
def test_the_same_container(engine: Docker, project: Path, ours: Run, theirs: Run, name: str) -> None:
    config, files = PROJECTS[name]
    write_project(project, {".devcontainer/devcontainer.json": config, **files})
    assert_same(engine, project, ours, theirs)
