"""The files on disk: their states, who may change them, and what is said of those that stay as they are."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from devenv.ide.facts import Address, Facts
from devenv.ide.known.every import EVERY, named
from devenv.ide.known.vscode import ATTACH, LAUNCH, TASKS
from devenv.ide.written import State, keep, look, states, write

FACTS = Facts(Address(23456), 23456, "/home/ada/net", "/workspaces/net")
MOVED = Facts(Address(20001), 23456, "/home/ada/net", "/workspaces/net", (Address(24001, "rank0"),))


def write_all(project: pathlib.Path, facts: Facts = FACTS, *, tracked_too: bool = False) -> list[str]:
    """Everything; the notes."""
    written = [
        write(project, file, facts, umask=0o022, tracked_too=tracked_too) for editor in EVERY for file in editor.files
    ]
    return [file.note for file in written if file.note]


def all_states(project: pathlib.Path, facts: Facts = FACTS) -> set[State]:
    return {file.state for _, files in states(project, facts) for file in files}


def texts(project: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(project)): path.read_text()
        for path in sorted(project.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }


def track(project: pathlib.Path) -> None:
    for words in (["init", "-q"], ["add", "--all"]):
        subprocess.run(["git", "-C", str(project), *words], check=True)


def test_the_states_of_files(tmp_path: pathlib.Path) -> None:
    assert all_states(tmp_path) == {State.MISSING}
    assert texts(tmp_path) == {}
    assert write_all(tmp_path) == []
    assert all_states(tmp_path) == {State.CURRENT}
    # The task names no address, so it cannot be out of date.
    assert all_states(tmp_path, MOVED) == {State.STALE, State.CURRENT}
    (tmp_path / LAUNCH).write_text("\n {")
    seen = look(tmp_path, ATTACH, FACTS)
    assert (seen.state, seen.reason[:46]) == (State.UNUSABLE, "it is no JSON with comments (line 2, column 2:")


def test_what_was_written_is_kept_up_to_date_and_no_more(tmp_path: pathlib.Path) -> None:
    assert list(keep(tmp_path, FACTS, umask=0o022)) == []
    assert texts(tmp_path) == {}
    for file in named("neovim").files + named("zed").files:
        write(tmp_path, file, FACTS, umask=0o022)
    before = texts(tmp_path)
    assert list(keep(tmp_path, FACTS, umask=0o022)) == []
    assert {file.path for file in keep(tmp_path, MOVED, umask=0o022)} == set(before)
    after = texts(tmp_path)
    assert set(after) == set(before) == {".nvim.lua", ".zed/debug.json"}
    assert all("20001" in text and "23456" not in text and "24001" in text for text in after.values())


def test_a_debugger_that_starts_is_told_to_vscode(tmp_path: pathlib.Path) -> None:
    assert [file.path for file in keep(tmp_path, FACTS, umask=0o022, attach=True)] == [LAUNCH]
    assert "devenv: attach" in texts(tmp_path)[LAUNCH]
    assert "current file" not in texts(tmp_path)[LAUNCH]
    assert list(keep(tmp_path, FACTS, umask=0o022, attach=True)) == []
    write_all(tmp_path)
    list(keep(tmp_path, MOVED, umask=0o022, attach=True))
    assert "23456" not in texts(tmp_path)[LAUNCH]
    assert TASKS in texts(tmp_path)


def test_a_tracked_file_is_not_changed_unasked(tmp_path: pathlib.Path) -> None:
    write_all(tmp_path)
    track(tmp_path)
    before = texts(tmp_path)
    other = Facts(Address(20001), 20002, "/home/ada/net", "/workspaces/net", (Address(24001, "rank0"),))
    notes = write_all(tmp_path, other)
    assert texts(tmp_path) == before
    said = "it says port 23456, the debugger is on port 20001; to change it: devenv ide write --tracked vscode"
    assert f"{LAUNCH} is tracked by Git and stays as it is: {said}" in notes
    assert ".nvim.lua is tracked by Git and stays as it is; to change it: devenv ide write --tracked neovim" in notes
    written = write(tmp_path, ATTACH, other, umask=0o022)
    assert not written.done
    assert '-        "port": 23456' in written.diff
    assert '+        "port": 20002' in written.diff, "the team's, not this machine's"
    kept = list(keep(tmp_path, other, umask=0o022))
    assert texts(tmp_path) == before
    assert kept and all(file.note for file in kept)
    # Asked for, the file gets what suits the team.
    notes = write_all(tmp_path, other, tracked_too=True)
    assert f"{LAUNCH} says port 20002 for the team; the debugger is on port 20001 now" in notes
    assert all("rank0" not in text for text in texts(tmp_path).values())
    assert "20002" in texts(tmp_path)[LAUNCH]


def test_a_tracked_file_with_the_teams_port_is_right(tmp_path: pathlib.Path) -> None:
    write_all(tmp_path)
    track(tmp_path)
    written = write(tmp_path, ATTACH, MOVED, umask=0o022)
    assert written.done and not written.changed
    assert "23456 for the team" in written.note and "20001" in written.note
    assert look(tmp_path, ATTACH, MOVED).state is State.CURRENT


@pytest.mark.parametrize("what", ["read-only", "folder", "link", "nonsense"])
def test_one_line_and_nothing_lost(tmp_path: pathlib.Path, what: str) -> None:
    path = tmp_path / LAUNCH
    path.parent.mkdir()
    outside = tmp_path / "outside"
    outside.write_text("{}")
    if what == "read-only":
        path.write_text("{}")
        path.chmod(0o444)
    elif what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(outside)
    else:
        path.write_text("{,}")
    written = write(tmp_path, ATTACH, FACTS, umask=0o022)
    assert not written.done and not written.changed
    assert written.note.startswith(f"{LAUNCH} is left as it is: ")
    assert "\n" not in written.note
    assert outside.read_text() == "{}"
    assert path.is_dir() or path.read_text() in ("{}", "{,}")
    told = list(keep(tmp_path, FACTS, umask=0o022, attach=True))
    assert [file.note for file in told] == [written.note]
