"""The folder that tools open: there, or told."""

from __future__ import annotations

from typing import Any

import pytest

from devenv.engine.port import ExecResult
from devenv.errors import ConfigError
from tests.unit.environment.conftest import IMAGE, Site


@pytest.fixture
def asked(site: Site) -> list[str]:
    """The folders that were looked for; only /there is there."""
    found: list[str] = []

    def answer(container: str, argv: list[str], user: str, env: Any, workdir: str) -> ExecResult:
        if "[ -d" in argv[2]:
            found.append(argv[-1])
            return ExecResult(0 if argv[-1] == "/there" else 1, b"", b"")
        return ExecResult(0, b"", b"")

    site.engine.on_exec = answer
    return found


async def test_a_mounted_folder_is_not_looked_for(site: Site, asked: list[str]) -> None:
    site.configure({"image": IMAGE})
    await site.up()
    assert asked == []


async def test_another_one_is_looked_for_once(site: Site, asked: list[str]) -> None:
    site.configure({"image": IMAGE, "workspaceMount": "", "workspaceFolder": "/there"})
    await site.up()
    await site.up()
    assert asked == ["/there"]


async def test_one_that_is_not_there_is_told_before_commands_fail_for_it(site: Site, asked: list[str]) -> None:
    config = '{"image": "' + IMAGE + '",\n "workspaceFolder": "/not/there", "postCreateCommand": "make"}'
    site.configure(config)
    with pytest.raises(ConfigError) as caught:
        await site.up()
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (2, "workspaceFolder")
    assert "there is no folder /not/there in the container" in problem.message and "workspaceMount" in problem.hint


async def test_a_folder_beside_the_project_is_the_one_that_tools_open(site: Site) -> None:
    site.configure({"image": IMAGE, "workspaceFolder": "/home/dev"})
    assert (await site.up()).workspace_folder == "/home/dev"
    site.configure({"image": IMAGE, "workspaceFolder": "/home/other"})
    edited = await site.up()  # it is there once the container was made for it
    assert edited.workspace_folder == "/home/dev"
    assert [(change.property, change.wanted) for change in edited.drift] == [("workspaceFolder", "/home/other")]
