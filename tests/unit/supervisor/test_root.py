"""Which project a client's folder belongs to."""

from __future__ import annotations

import pathlib

import pytest

from devenv.supervisor.root import project_root


@pytest.mark.parametrize(
    ("files", "cwd", "known", "expected"),
    [
        pytest.param([".devcontainer/devcontainer.json"], "a/b", [], ".", id="upwards to the configuration"),
        pytest.param([".devcontainer.json"], ".", [], ".", id="the hidden file"),
        pytest.param([".devcontainer/gpu/devcontainer.json"], "src", [], ".", id="a configuration in a subfolder"),
        pytest.param(["devenv.yaml", "sub/devenv.yaml"], "sub/x", [], "sub", id="the nearest one"),
        pytest.param([".git/HEAD"], "a/b", [], ".", id="without any: the Git root"),
        pytest.param([".git/HEAD"], "a/b", ["a"], "a", id="a folder with an environment"),
        pytest.param([], "a/b", [], "a/b", id="nothing at all: where the client stands"),
    ],
)
def test_project_root(tmp_path: pathlib.Path, files: list[str], cwd: str, known: list[str], expected: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / cwd).mkdir(parents=True, exist_ok=True)
    found = project_root(str(tmp_path / cwd), {str(tmp_path / name) for name in known})
    assert pathlib.Path(found) == tmp_path / expected


def test_links_stay_as_they_were_typed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "devenv.yaml").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert project_root(str(tmp_path / "link"), set()) == str(tmp_path / "link")
