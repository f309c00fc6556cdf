"""The files of a project's editors: what state they are in, and how they are written or kept up to date.

A file that Git tracks is the team's. It is never changed unasked, and says the port that the team prefers, not the one
that happens to be free on this machine.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import pathlib
from collections.abc import Iterable, Iterator

from devenv.ide import project_file
from devenv.ide.edit import Editor, FileEdit
from devenv.ide.facts import Facts
from devenv.ide.known import vscode
from devenv.ide.known.every import EVERY
from devenv.ide.merge.outcome import Unmergeable
from devenv.ide.project_file import FileProblem, Found


class State(enum.StrEnum):
    CURRENT = "up to date"
    STALE = "out of date"  # something of ours is in it
    MISSING = "not written"
    UNUSABLE = "cannot be used"


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """One file as it is and as it should be. `reason` belongs to `UNUSABLE`."""

    path: str
    state: State
    tracked: bool = False
    reason: str = ""
    before: Found | None = None
    text: str = ""

    @property
    def diff(self) -> str:
        """What would change, as `diff -u` shows it; "" when nothing would."""
        old = self.before.text if self.before else ""
        lines = difflib.unified_diff(
            old.splitlines(), self.text.splitlines(), f"{self.path} (now)", self.path, lineterm=""
        )
        return "\n".join(lines) if self.state in (State.STALE, State.MISSING) else ""


def look(project: pathlib.Path, file: FileEdit, facts: Facts, *, add: bool = True) -> Look:
    """The file, and what writing would make of it; with `add` False, what correcting it would. Blocks."""
    before = None
    try:
        before = project_file.read(project, file.path)
        if before is None and not add:
            return Look(file.path, State.MISSING)
        text = before.text if before else None
        tracked = False
        merged = file.merge(text, facts, add)
        if before is not None and merged.text != before.text:
            tracked = project_file.is_tracked(project, file.path)
            if tracked:
                merged = file.merge(text, facts.for_team(), add)
    except (FileProblem, Unmergeable) as problem:
        return Look(file.path, State.UNUSABLE, reason=str(problem), before=before)
    if before is not None and merged.text == before.text:
        state = State.CURRENT
    else:
        state = State.STALE if merged.ours else State.MISSING
    return Look(file.path, state, tracked, before=before, text=merged.text)


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """`note` is a sentence for the person, "" when there is nothing to say; `done`: the file is as it should be."""

    path: str
    changed: bool
    done: bool
    note: str = ""
    diff: str = ""


def write(
    project: pathlib.Path, file: FileEdit, facts: Facts, *, umask: int, tracked_too: bool = False, add: bool = True
) -> Written:
    """The file written or corrected; a tracked one with `tracked_too` only. Never raises for a file. Blocks."""
    seen = look(project, file, facts, add=add)
    if seen.state is State.UNUSABLE:
        note = f"{file.path} is left as it is: {seen.reason}; to add it by hand: devenv ide show {file.editor}"
        return Written(file.path, changed=False, done=False, note=note)
    old = seen.before.text if seen.before else ""
    if seen.text == old:
        note = _team_note(file, facts) if seen.tracked else ""
        return Written(file.path, changed=False, done=True, note=note)
    if seen.tracked and not tracked_too:
        says = file.says(old, facts)
        detail = f": it says port {says}, the debugger is on port {facts.door.port}" if says else ""
        order = f"devenv ide write --tracked {file.editor}"
        note = f"{file.path} is tracked by Git and stays as it is{detail}; to change it: {order}"
        return Written(file.path, changed=False, done=False, note=note, diff=seen.diff)
    try:
        project_file.write(project, file.path, seen.text, seen.before, umask=umask)
    except FileProblem as problem:
        return Written(file.path, changed=False, done=False, note=f"{file.path} is left as it is: {problem}")
    return Written(file.path, changed=True, done=True, note=_team_note(file, facts) if seen.tracked else "")


def _team_note(file: FileEdit, facts: Facts) -> str:
    if facts.door.port == facts.preferred:
        return ""
    return f"{file.path} says port {facts.preferred} for the team; the debugger is on port {facts.door.port} now"


def keep(project: pathlib.Path, facts: Facts, *, umask: int, attach: bool = False) -> Iterator[Written]:
    """What was written before, with the addresses of today; with `attach`, VS Code's attach entry is added as well.

    Yields what was changed, and what cannot be kept right. Nothing is said of a project that has none of it. Blocks.
    """
    for editor in EVERY:
        for file in editor.files:
            if file.path == vscode.LAUNCH:
                yield from _keep_launch(project, facts, umask=umask, attach=attach)
            else:
                yield from _kept(project, file, facts, umask=umask)


def _keep_launch(project: pathlib.Path, facts: Facts, *, umask: int, attach: bool) -> Iterable[Written]:
    if attach:
        yield from _kept(project, vscode.ATTACH, facts, umask=umask, add=True)
    yield from _kept(project, vscode.EDITOR.files[0], facts, umask=umask)


def _kept(project: pathlib.Path, file: FileEdit, facts: Facts, *, umask: int, add: bool = False) -> Iterator[Written]:
    seen = look(project, file, facts, add=add)
    if seen.state is State.UNUSABLE and not add:
        return  # `devenv ide` tells it to who asks
    written = write(project, file, facts, umask=umask, add=add)
    if written.changed or written.note:
        yield written


def states(project: pathlib.Path, facts: Facts) -> list[tuple[Editor, list[Look]]]:
    """Every editor's files. Blocks."""
    return [(editor, [look(project, file, facts) for file in editor.files]) for editor in EVERY]
