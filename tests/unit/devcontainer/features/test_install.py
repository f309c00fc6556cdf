"""The script that installs a feature, run by real shells, and what a feature leaves behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devcontainer import metadata
from devcontainer.features import install
from devcontainer.features.graph import InstallStep
from tests.unit.devcontainer.features import graphs

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]

RAW: dict[str, Any] = {
    "id": "tool",
    "version": "1.2.3",
    "name": "It's a tool",
    "description": "One\nline\x1b[2J\ud800",
    "documentationURL": "https://example.org/tool",
    "options": {"version": {"type": "string", "default": "9"}, "my-flag": {"type": "boolean", "default": True}},
}


def run(tmp_path: Path, step: InstallStep, body: str, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    folder = tmp_path / "tool_0"
    folder.mkdir()
    (tmp_path / install.BUILTIN_FILE).write_text(install.builtin_text("root", "me", "/root", "/home/me"))
    (folder / install.OPTIONS_FILE).write_text(install.options_text(step))
    (folder / install.SCRIPT).write_text(install.script(step))
    (folder / "install.sh").write_text(body)
    command = [shell, "sh"] if shell == "busybox" else [shell]
    return subprocess.run(
        [*command, f"./{install.SCRIPT}"], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_options_and_users_are_exported(tmp_path: Path, shell: str) -> None:
    step = graphs.step(RAW, {"version": "$(id) \"x\" `y` \\ 'z'", "other": "a b"})
    body = (
        '#!/bin/sh\nprintf "%s|" "$VERSION" "$MY_FLAG" "$OTHER" "$_REMOTE_USER" "$_REMOTE_USER_HOME"\nenv | grep -c ^_C'
    )
    done = run(tmp_path, step, body, shell)
    assert done.returncode == 0, done.stderr
    assert "$(id) \"x\" `y` \\ 'z'|true|a b|me|/home/me|2" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_failure_is_one_line_with_name_and_documentation(tmp_path: Path, shell: str) -> None:
    done = run(tmp_path, graphs.step(RAW), "#!/bin/sh\nexit 7\n", shell)
    assert done.returncode == 7
    [line] = done.stderr.splitlines()
    assert line == (
        "Feature not installed: install.sh of It's a tool (./f) ended with exit code 7. "
        "Its documentation: https://example.org/tool"
    )


def test_a_missing_interpreter_is_guessed(tmp_path: Path) -> None:
    done = run(tmp_path, graphs.step(RAW), "#!/no/such/shell\n")
    assert done.returncode in (126, 127)
    assert "no such interpreter" in done.stderr


def test_the_banner(tmp_path: Path) -> None:
    done = run(tmp_path, graphs.step(RAW, {"version": "8"}), "#!/bin/sh\n")
    assert "Feature It's a tool (./f), version 1.2.3" in done.stdout
    assert "One line [2J" in done.stdout, "no line and no colour of a stranger's making"
    assert "https://example.org/tool" in done.stdout
    assert 'VERSION="8"' in done.stdout
    assert 'MY_FLAG="true"' in done.stdout
    assert "Warning" not in done.stdout


def test_old_features_are_warned_of(tmp_path: Path) -> None:
    step = graphs.step({"id": "old", "currentId": "new", "legacyIds": ["old"], "deprecated": True})
    done = run(tmp_path, step, "#!/bin/sh\n")
    assert "deprecated" in done.stdout
    assert "'new'" in done.stdout


def test_files_can_be_chosen() -> None:
    text = install.script(graphs.step({"id": "a"}), ["/x y/z.env"])
    assert ". '/x y/z.env'" in text
    assert install.BUILTIN_FILE not in text


def test_homes_that_are_not_known_are_left_to_the_build() -> None:
    assert install.builtin_text("root", "me") == '_CONTAINER_USER="root"\n_REMOTE_USER="me"\n'


def test_what_goes_into_the_label() -> None:
    raw = {
        "customizations": {"vscode": {}},
        "mounts": ["source=a,target=/a"],
        "entrypoint": "/e",
        "containerEnv": {"A": "b"},
        "capAdd": None,
        "id": "tool",
        "version": "1.0.0",
        "privileged": False,
        "postStartCommand": "${devcontainerId}",
        "onCreateCommand": "o",
        "extensions": ["x"],
        "remoteUser": "nobody",
    }
    step = graphs.step(raw, written="ghcr.io/X/tool:1")
    assert metadata.write([install.metadata_entry(step)]) == (
        '[{"id":"ghcr.io/X/tool:1","onCreateCommand":"o","postStartCommand":"${devcontainerId}","privileged":false,'
        '"capAdd":null,"entrypoint":"/e","mounts":["source=a,target=/a"],'
        '"customizations":{"vscode":{"extensions":["x"]}}}]'
    )
    assert "customizations" not in install.metadata_entry(step, customizations=False)


def test_a_feature_without_anything_is_in_the_label_by_its_name() -> None:
    assert install.metadata_entry(graphs.step({"id": "a"})) == {"id": "./f"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b'USERNAME="${_REMOTE_USER}"', True, id="the remote user"),
        pytest.param(b"echo $_CONTAINER_USER_HOME", True, id="a home"),
        pytest.param(b"cat <<EOF\n# ${_REMOTE_USER}\nEOF", True, id="in a comment of a file that is written"),
        pytest.param(b'v="${prefix}REMOTE_USER"; eval echo \\$$v', True, id="put together"),
        pytest.param(b"nanolayer install devcontainer-feature x", True, id="another feature"),
        pytest.param(b"printenv | sort", True, id="all variables"),
        pytest.param(b"env > /etc/all", True, id="all variables, to a file"),
        pytest.param(b"export -p", True, id="all variables, as a script"),
        pytest.param(b"\x1f\x8b\x08 compressed", True, id="an archive"),
        pytest.param(b"#!/bin/sh\n# nanolayer is not used\napt-get install -y curl\n", False, id="neither"),
        pytest.param(b"printenv PATH\nenv A=b true", False, id="one variable"),
        pytest.param(b"\x7fELF\x00\xff", False, id="a program"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_who_asks_for_the_users(text: bytes, expected: bool) -> None:
    assert install.mentions_user([b"echo", text]) is expected
