"""Which configuration a person chose last."""

from __future__ import annotations

import pathlib

import pytest

from devenv.supervisor.choices import Choices


def test_a_choice_is_remembered_as_long_as_its_file_is_there(tmp_path: pathlib.Path) -> None:
    project, state = tmp_path / "p", tmp_path / "state"
    file = project / ".devcontainer" / "gpu" / "devcontainer.json"
    file.parent.mkdir(parents=True)
    file.touch()
    state.mkdir()
    choices = Choices(state)
    assert choices.get(str(project)) == ""
    choices.put(str(project), str(file))
    assert Choices(state).get(str(project)) == str(file)
    link = tmp_path / "link"
    link.symlink_to(project)
    assert choices.get(str(link)) == str(file), "one folder by two names"
    assert choices.get(str(tmp_path)) == ""
    assert (state / "configurations.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in project.iterdir()] == [".devcontainer"], "nothing is written into the project"
    file.unlink()
    assert choices.get(str(project)) == ""


def test_the_newest_ones_are_kept(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devenv.supervisor.choices._MOST", 2)
    file = tmp_path / "devcontainer.json"
    file.touch()
    choices = Choices(tmp_path)
    for folder in ("/a", "/b", "/c"):
        choices.put(folder, str(file))
    assert [choices.get(folder) for folder in ("/a", "/b", "/c")] == ["", str(file), str(file)]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"chosen": 3}', "\x00", '{"chosen": {"/p": 4}}'])
def test_a_file_that_is_no_good_is_as_none(tmp_path: pathlib.Path, content: str) -> None:
    (tmp_path / "configurations.json").write_text(content)
    assert Choices(tmp_path).get("/p") == ""
    Choices(tmp_path).put("/p", str(tmp_path / "configurations.json"))
    assert Choices(tmp_path).get("/p")


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: pathlib.Path) -> None:
    Choices(tmp_path / "gone").put("/p", "/p/devcontainer.json")
