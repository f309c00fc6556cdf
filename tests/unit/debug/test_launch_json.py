"""launch.json is the user's file: every byte that is not ours stays, and merging twice is merging once."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

from devcontainer.jsonc import parse
from devenv.debug.launch_json import NAME, Entry, is_tracked, merge, update

ENTRY = Entry(port=23456, preferred=23456, remote_root="/workspaces/net")
MOVED = Entry(port=20001, preferred=23456, remote_root="/workspaces/net")

USERS = """{
  // Use IntelliSense
  "version": "0.2.0",
  "configurations": [
    {   "name": "Mine", "type":"node",
        "request": "launch" /* keep */ },  // the last one
  ],
  "compounds": []
}
"""


def entries(text: str) -> list[dict[str, object]]:
    value = parse(text).value
    assert isinstance(value, dict)
    found = value["configurations"]
    assert isinstance(found, list)
    return found  # type: ignore[return-value]


def ours(text: str) -> dict[str, object]:
    (found,) = [entry for entry in entries(text) if entry["name"] == NAME]
    return found


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_missing_file_is_made(text: str | None) -> None:
    merged = merge(text, ENTRY)
    assert merged.text is not None
    assert json.loads(merged.text) == {
        "version": "0.2.0",
        "configurations": [
            {
                "name": "devenv: attach",
                "type": "debugpy",
                "request": "attach",
                "connect": {"host": "127.0.0.1", "port": 23456},
                "pathMappings": [{"localRoot": "${workspaceFolder}", "remoteRoot": "/workspaces/net"}],
                "justMyCode": True,
                "subProcess": True,
            }
        ],
    }


def test_comments_and_entries_stay_byte_for_byte() -> None:
    merged = merge(USERS, ENTRY)
    assert merged.text is not None
    assert len(entries(merged.text)) == 2
    at = merged.text.index(f'"name": "{NAME}"')
    start = merged.text.rindex("{", 0, at)
    kept = USERS.split("// the last one")
    assert merged.text.startswith(kept[0] + "// the last one")
    assert merged.text.endswith(kept[1].lstrip("\n"))
    assert merged.text[:start].count("Mine") == 1


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{}",
        '{"configurations": []}',
        '{"configurations": [], // none\n}',
        USERS,
        USERS.replace("\n", "\r\n"),
        "\ufeff" + USERS,
        '{"configurations":[{"name":"a","type":"node"}]}',
    ],
)
def test_merging_again_changes_nothing(text: str | None) -> None:
    first = merge(text, ENTRY)
    assert first.text is not None
    assert ours(first.text)["connect"] == {"host": "127.0.0.1", "port": 23456}
    assert not merge(first.text, ENTRY).changed


def test_an_entry_of_the_users_that_fits_is_enough() -> None:
    text = """{"configurations": [{"name": "Container", "type": "python", "request": "attach", "justMyCode": false,
      "connect": {"host": "localhost", "port": 23456},
      "pathMappings": [{"localRoot": "x", "remoteRoot": "/workspaces/net"}]}]}"""
    assert merge(text, ENTRY) == merge(text, ENTRY, tracked=True)
    assert not merge(text, ENTRY).changed


def test_our_entry_follows_the_port_and_keeps_what_was_changed_in_it() -> None:
    text = merge(USERS, ENTRY).text
    assert text is not None
    text = text.replace('"justMyCode": true', '"justMyCode": false, // deep').replace("net", "old")
    merged = merge(text, MOVED)
    assert merged.text is not None
    entry = ours(merged.text)
    assert entry["connect"] == {"host": "127.0.0.1", "port": 20001}
    assert entry["pathMappings"] == [{"localRoot": "${workspaceFolder}", "remoteRoot": "/workspaces/net"}]
    assert entry["justMyCode"] is False
    assert "// deep" in merged.text


def test_a_tracked_file_is_not_rewritten_because_a_port_is_taken_here() -> None:
    text = merge(None, ENTRY).text
    merged = merge(text, MOVED, tracked=True)
    assert not merged.changed
    assert "23456" in merged.note
    assert "20001" in merged.note


def test_a_tracked_file_gets_the_teams_port() -> None:
    merged = merge(USERS, MOVED, tracked=True)
    assert merged.text is not None
    assert ours(merged.text)["connect"] == {"host": "127.0.0.1", "port": 23456}
    assert "20001" in merged.note


@pytest.mark.parametrize(
    "text",
    ['{"configurations": [', '{"configurations": [{}] "x": 1}', "[]", '{"configurations": {}}', "nonsense", '"text"'],
)
def test_what_cannot_be_read_is_never_touched(text: str) -> None:
    merged = merge(text, ENTRY)
    assert not merged.changed
    assert "by hand" in merged.note


def test_the_file_on_disk(tmp_path: pathlib.Path) -> None:
    assert update(tmp_path, ENTRY, umask=0o027).changed
    path = tmp_path / ".vscode/launch.json"
    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o750, 0o640)
    path.chmod(0o640)
    assert not update(tmp_path, ENTRY).changed
    assert update(tmp_path, MOVED).changed
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(path.parent)) == ["launch.json"]


@pytest.mark.parametrize("what", ["file", "folder", "fifo"])
def test_planted_links_are_not_followed(tmp_path: pathlib.Path, what: str) -> None:
    target = tmp_path / "outside"
    project = tmp_path / "project"
    project.mkdir()
    if what == "folder":
        target.mkdir()
        (project / ".vscode").symlink_to(target)
    else:
        target.write_text("{}")
        (project / ".vscode").mkdir()
        if what == "file":
            (project / ".vscode/launch.json").symlink_to(target)
        else:
            os.mkfifo(project / ".vscode/launch.json")
    merged = update(project, ENTRY)
    assert not merged.changed
    assert "by hand" in merged.note
    assert target.read_text() == "{}" if target.is_file() else os.listdir(target) == []


def test_tracked_or_not(tmp_path: pathlib.Path) -> None:
    git = ["git", "-C", str(tmp_path)]
    assert not is_tracked(tmp_path)
    subprocess.run([*git, "init", "-q"], check=True)
    update(tmp_path, ENTRY)
    assert not is_tracked(tmp_path)
    subprocess.run([*git, "add", ".vscode/launch.json"], check=True)
    assert is_tracked(tmp_path)
    assert "tracked" in update(tmp_path, MOVED).note
