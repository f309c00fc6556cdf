"""Where configurations are found (spec, *devcontainer.json*: three places)."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcontainer import discover

CASES = [
    pytest.param([], [], id="none"),
    pytest.param([".devcontainer.json"], [".devcontainer.json"], id="beside the project"),
    pytest.param(
        [
            ".devcontainer/b/devcontainer.json",
            ".devcontainer.json",
            ".devcontainer/devcontainer.json",
            ".devcontainer/a/devcontainer.json",
        ],
        [
            ".devcontainer/devcontainer.json",
            ".devcontainer.json",
            ".devcontainer/a/devcontainer.json",
            ".devcontainer/b/devcontainer.json",
        ],
        id="all places, the default first, folders by name",
    ),
    pytest.param([".devcontainer/a/b/devcontainer.json"], [], id="two levels down is too deep"),
    pytest.param(["devcontainer.json", ".devcontainer/other.json"], [], id="other names"),
    pytest.param([".devcontainer/devcontainer.json/x"], [], id="a folder of that name is no configuration"),
]


@pytest.mark.parametrize(("files", "expected"), CASES)
def test_find(tmp_path: Path, files: list[str], expected: list[str]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert [str(path.relative_to(tmp_path)) for path in discover.find(tmp_path)] == expected
    assert discover.find(str(tmp_path)) == discover.find(tmp_path)


def test_a_symlink_keeps_its_name(tmp_path: Path) -> None:
    """The path becomes an identity label; the reference does not resolve it either."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real/devcontainer.json").write_text("{}")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/.devcontainer").symlink_to(tmp_path / "real")
    assert discover.find(tmp_path / "project") == [tmp_path / "project/.devcontainer/devcontainer.json"]


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / ".devcontainer").write_text("not a folder")
    assert discover.find(tmp_path) == []
