"""The program called `devcontainer`: written where asked, over nobody else's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from devenv.cli.options import BadUsage
from devenv.dropin import wrapper


def program(folder: Path, text: str = "#!/bin/sh\n") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "devcontainer"
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three folders on the PATH, the middle one for us."""
    folders = [tmp_path / name for name in ("first", "ours", "last")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    return folders


def test_written_and_written_again(path: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert wrapper.run([str(path[1])]) == 0
    file = path[1] / "devcontainer"
    assert os.access(file, os.X_OK)
    assert [line for line in file.read_text().splitlines() if not line.startswith("#")] == [
        wrapper.text().splitlines()[-1]
    ]
    assert os.listdir(path[1]) == ["devcontainer"]
    assert capsys.readouterr().err == ""


def test_it_is_devenv(path: list[Path]) -> None:
    wrapper.run([str(path[1])])
    done = subprocess.run(
        [str(path[1] / "devcontainer"), "--version"], capture_output=True, cwd=path[0], env={"PATH": os.defpath}
    )
    assert (done.returncode, b"+devenv" in done.stdout) == (0, True)


def test_a_folder_of_that_name_here_is_not_imported(path: list[Path]) -> None:
    (path[0] / "devenv").mkdir()
    (path[0] / "devenv" / "__init__.py").write_text("raise SystemExit('somebody else')")
    wrapper.run([str(path[1])])
    done = subprocess.run([str(path[1] / "devcontainer"), "--version"], capture_output=True, cwd=path[0])
    assert done.returncode == 0, done.stderr


REFUSED = [("first", "comes before it on your PATH"), ("ours", "is another program"), ("last", "no longer be found")]


@pytest.mark.parametrize(("where", "words"), REFUSED, ids=[case[0] for case in REFUSED])
def test_another_program_is_left_alone(path: list[Path], where: str, words: str) -> None:
    other = program(path[0].parent / where)
    with pytest.raises(BadUsage, match=words) as caught:
        wrapper.run([str(path[1])])
    assert "--force" in caught.value.hint
    assert other.read_text() == "#!/bin/sh\n"
    assert where == "ours" or not (path[1] / "devcontainer").exists()
    assert wrapper.run(["--force", str(path[1])]) == 0
    assert "devenv" in (path[1] / "devcontainer").read_text()


def test_our_own_elsewhere_is_no_other_program(path: list[Path]) -> None:
    wrapper.run([str(path[0])])
    assert wrapper.run([str(path[1])]) == 0


def test_a_folder_that_is_not_on_the_path_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wrapper.run(["--force", str(tmp_path)]) == 0
    assert "not on your PATH" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["a", "b"], ["--nonsense"], ["/no/such/folder"]], ids=str)
def test_no_folder(words: list[str]) -> None:
    with pytest.raises(BadUsage):
        wrapper.run(words)


def test_a_folder_that_cannot_be_written(path: list[Path]) -> None:
    (path[1] / "devcontainer").mkdir()
    with pytest.raises(BadUsage, match="cannot be written"):
        wrapper.run(["--force", str(path[1])])
    assert os.listdir(path[1]) == ["devcontainer"]
