"""The project's files that are kept the same on two machines: how they stand, and what there is to decide."""

from __future__ import annotations

import time

from devenv.api.views import ConflictView, SyncView
from tui.model.choices import Choices
from tui.model.formatting import size
from tui.model.spans import Line, Lines, Row, Span, Tone, clean, wrap

_TAKES = {
    "host": "keep this machine's",
    "container": "keep the container's",
    "both": "keep both, the container's under a new name",
    "diff": "show how they differ",
}
_DECISIONS = {
    "reset": "merge both sides anew; nothing is deleted",
    "delete": "go on, and delete what the other side deleted",
}


def badge(sync: SyncView | None) -> Span | None:
    """What the header says of the files; nothing where they are mounted."""
    if sync is None:
        return None
    if sync.state == "halted":
        return Span("⇄ files halted M", Tone.BAD)
    if sync.conflicts:
        many = len(sync.conflicts)
        return Span(f"⇄ {many} conflict{'s' * (many > 1)} M", Tone.WARN)
    if sync.state in ("offline", "paused"):
        return Span(f"⇄ files {sync.state}", Tone.WARN)
    return Span(f"⇄ files {clean(sync.state)}", Tone.DIM)


def told(sync: SyncView) -> str:
    """How it stands, in one line."""
    why = f": {clean(sync.why)}" if sync.why else ""
    return f"{sync.files} files, {clean(sync.state)}{why}."


def conflict_choices(sync: SyncView) -> Choices:
    """The conflicts by path; keys are their paths."""
    known = {one.path: one for one in sync.conflicts}

    def about(key: str, cells: int) -> Lines:
        one = known.get(key)
        if one is None:
            return ()
        here, there = (
            _side(one.host, one.host_size, one.host_time),
            _side(one.container, one.container_size, one.container_time),
        )
        text = f"{one.why}; here: {here}; in the container: {there}"
        return tuple((Span(part, Tone.FAINT),) for part in wrap(clean(text), cells))

    return Choices("Conflicts", tuple(_row(one) for one in sync.conflicts), about, "chooses what is kept", "closes")


def _side(kind: str, bytes_: int | None, at: float | None) -> str:
    if kind != "file" or bytes_ is None or at is None:
        return kind
    return f"{size(bytes_)}, {time.strftime('%b %d %H:%M:%S', time.localtime(at))}"


def _row(one: ConflictView) -> Row:
    left: Line = (Span("≠ ", Tone.WARN), Span(clean(one.path), Tone.STRONG))
    return Row(one.path, left, (Span(clean(one.why), Tone.DIM),))


def take_choices(path: str) -> Choices:
    return _choices(clean(path), _TAKES)


def halt_choices(sync: SyncView) -> Choices:
    """What goes on after a halt. Only one that is about deletions may be gone on with as it is."""
    offered = dict(_DECISIONS) if "deleted" in sync.why else {"reset": _DECISIONS["reset"]}
    return _choices("The files are not kept the same", offered, clean(sync.why))


def _choices(title: str, offered: dict[str, str], more: str = "") -> Choices:
    rows = tuple(Row(key, (Span(text, Tone.STRONG),), ()) for key, text in offered.items())

    def about(key: str, cells: int) -> Lines:
        return tuple((Span(part, Tone.WARN),) for part in wrap(more, cells)) if more else ()

    return Choices(title, rows, about, "does it", "closes")


def diff_lines(text: str) -> Lines:
    tones = {"+": Tone.OK, "-": Tone.BAD, "@": Tone.INFO}
    return tuple((Span(clean(line), tones.get(line[:1], Tone.PLAIN)),) for line in text.splitlines())
