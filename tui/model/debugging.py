"""Debug sessions to choose from, and what the supervisor said of a debugger that was attached."""

from __future__ import annotations

from pathlib import PurePosixPath

from devenv.api.views import DebugSessionView, DebugView
from devenv.errors import DevenvError
from tui.model.choices import Choices
from tui.model.spans import Line, Lines, Row, Span, Tone, clean, clip, width, wrap

CELLS = 72  # of text that is read, so that it fits a terminal of 80
_NAME = 24  # cells of a row
_PLACE = 23

_STATES: dict[str, tuple[str, Tone, str]] = {
    "waiting": ("◌", Tone.WARN, "waits for a debugger"),
    "running": ("▶", Tone.INFO, "runs, no debugger"),
    "attached": ("●", Tone.OK, "runs under a debugger"),
    "stopped": ("‖", Tone.ACCENT, "stopped in a debugger"),
    "left": ("‖", Tone.BAD, "stopped, its debugger is gone"),
}


def session_choices(views: list[DebugSessionView], door: DebugView | None, folder: str) -> Choices:
    """The sessions, oldest first as the supervisor lists them; keys are their names."""

    def about(key: str, cells: int) -> Lines:
        return next((_about(view, door, cells) for view in views if view.name == key), ())

    names = min(_NAME, max((width((Span(clean(view.name)),)) for view in views), default=0))
    states = max((len(view.state) for view in views), default=0)
    return Choices(
        title="Debug sessions",
        rows=tuple(_row(view, names, states, folder) for view in views),
        about=about,
        does=f"port {door.port} leads to it" if door else "chooses it",
        leaves="closes",
        first=next((view.name for view in views if view.chosen), ""),
    )


def _row(view: DebugSessionView, names: int, states: int, folder: str) -> Row:
    symbol, tone, _ = _STATES.get(view.state, ("?", Tone.DIM, ""))
    name = clip(clean(view.name), names)
    gap = " " * (names - width((Span(name),)) + 2)
    left: Line = (
        Span("* " if view.chosen else "  ", Tone.KEY),
        Span(f"{symbol} ", tone),
        Span(name + gap, Tone.STRONG),
        Span(f"{clean(view.state):<{states}}", tone),
    )
    if view.at:
        left += (Span(f"  {_short(view.at, folder)}", Tone.PLAIN),)
    silent: Line = (Span(f"{view.silent_children} silent  ", Tone.WARN),) if view.silent_children else ()
    port = f"port {view.port}" if view.port else "no port"
    return Row(view.name, left, (*silent, Span(f"{port:>10}", Tone.DIM)))


def _about(view: DebugSessionView, door: DebugView | None, cells: int) -> Lines:
    """First what may be news; where it runs comes last, for a small dialog cuts there."""
    said = _STATES.get(view.state, ("", Tone.DIM, view.state))[2]
    if view.chosen and door:
        said += f"; port {door.port} leads to it now"
    lines: list[Line] = [(Span(part, Tone.FAINT),) for part in wrap(said, cells)]
    if view.silent_children:
        many = view.silent_children
        words = "1 child process has" if many == 1 else f"{many} child processes have"
        lines += [(Span(part, Tone.WARN),) for part in wrap(f"{words} no debugger", cells)]
    where = f"run {view.run}" + (f", process {view.pid}" if view.pid else "")
    place = f"at {view.at}" if view.at else ""
    return (*lines, *((Span(part, Tone.FAINT),) for text in (place, where) if text for part in wrap(text, cells)))


def _short(at: str, folder: str) -> str:
    """The place as one of the project knows it; of a long one the end, where the file and the line are."""
    path = PurePosixPath(at)
    text = clean(str(path.relative_to(folder)) if folder and path.is_relative_to(folder) else at)
    while width((Span(text),)) > _PLACE:
        text = "…" + text.removeprefix("…")[1:]
    return text


def led_to(views: list[DebugSessionView], door: DebugView | None) -> str:
    """In one line: where the environment's debug port leads now."""
    name = next((clean(view.name) for view in views if view.chosen), "")
    if not name:
        return "No debug session is left."
    return f"Port {door.port} leads to {name}." if door else f"{name} is the chosen debug session."


def answer_lines(text: str) -> Lines:
    """What the supervisor said, its notes too, without the name that marks devenv's words among a program's."""
    first, *notes = [line.removeprefix("devenv: ") for line in text.strip().split("\n")]
    lines: list[Line] = [(Span(part, Tone.STRONG),) for part in wrap(first, CELLS)]
    if notes:
        lines.append(())
    for note in notes:
        head, *rest = wrap(note, CELLS - 2)
        lines += [(Span("· ", Tone.DIM), Span(head)), *((Span(f"  {part}"),) for part in rest)]
    return tuple(lines)


def refusal_lines(error: DevenvError) -> Lines:
    """All of a refusal: why, then what to do about it."""
    lines: list[Line] = [(Span(part, Tone.BAD),) for part in wrap(error.message, CELLS)]
    if error.hint:
        lines += [(), *((Span(part, Tone.PLAIN),) for part in wrap(error.hint, CELLS))]
    return tuple(lines)
