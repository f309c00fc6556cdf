"""One file of an editor: how our part is put in, known again and kept right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from devenv.ide.facts import Facts


@dataclasses.dataclass(frozen=True, slots=True)
class Merged:
    """`text` is the whole file as it should be; the same as before when nothing is to be done."""

    text: str
    ours: bool  # whether the file has something of ours already


Merge = Callable[[str | None, Facts, bool], Merged]
"""(text or None, facts, add): with `add` False only what is ours already is corrected. Raises Unmergeable."""


def _silent(text: str, facts: Facts) -> int | None:
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class FileEdit:
    """`path` is relative to the project, `editor` the name of whose file it is. `says`: the port that a text names for
    this project now, where it is known."""

    editor: str
    path: str
    merge: Merge
    says: Callable[[str, Facts], int | None] = _silent


@dataclasses.dataclass(frozen=True, slots=True)
class Editor:
    """`hint` says in one line what to do in the editor once its files are written; `{port}` in it is the debugger's."""

    name: str
    title: str
    files: tuple[FileEdit, ...]
    hint: str
    show: Callable[[Facts], str]
