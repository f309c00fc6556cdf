"""Help: every command and every flag has its line, hidden ones none."""

from __future__ import annotations

import pytest

from devcontainer import semver
from devenv.dropin import pages, tables


@pytest.mark.parametrize("command", tables.COMMANDS)
def test_a_page_names_every_flag(command: str) -> None:
    text = pages.page(command)
    assert text.startswith(f"usage: devcontainer {command} ")
    for name in tables.COMMANDS[command].split():
        assert (f"--{name}" in text) is (name not in tables.HIDDEN)
    assert all(len(line) < 160 for line in text.splitlines())


@pytest.mark.parametrize("group", ["", *tables.GROUPS])
def test_a_group_names_its_commands(group: str) -> None:
    text = pages.page(group)
    for command in tables.COMMANDS:
        if command.rpartition(" ")[0] == group:
            assert f"  {command} " in text


def test_the_version_counts_as_the_reference_s() -> None:
    found = semver.parse(pages.version())
    assert found == semver.parse(tables.COMPATIBLE)
    assert "devenv" in found.text
