"""Stacks and profiles as lines: the project's own places stand out, libraries step back."""

from __future__ import annotations

from devenv.api.profiling import ProfileResult, RowView
from tui.model.spans import Line, Lines, Span, Tone, clean

_LONGEST = 44


def stack_lines(text: str) -> Lines:
    """The text of `devenv stack` (devenv.api.stack_text): heads strong, own frames in colour."""
    lines: list[Line] = []
    for number, raw in enumerate(text.rstrip("\n").split("\n")):
        line = clean(raw)
        if line.startswith("  ▸"):
            tone = Tone.ACCENT
        elif line.startswith("    "):
            tone = Tone.DIM
        elif line.startswith("  "):
            tone = Tone.PLAIN
        else:
            tone = Tone.STRONG if number == 0 or line else Tone.PLAIN
        lines.append((Span(line, tone),) if line else ())
    return tuple(lines)


def profile_lines(result: ProfileResult) -> Lines:
    """The top functions, then the project's own by all that they cause, then where the flame graph is."""
    view = result.profile
    many = f" in {view.processes} processes" if view.processes > 1 else ""
    head = f"{clean(view.name)}: {view.total:.2f} s of work in {view.seconds:.1f} s, {view.count} samples{many}"
    shown = [row.frame for row in result.rows]
    own = [row for row in result.project if row.frame not in shown]
    lines: list[Line] = [(Span(head, Tone.STRONG),)]
    lines += [(Span(clean(note), Tone.WARN),) for note in view.notes]
    lines += [(), (Span("  self   total  function", Tone.FAINT),), *(_row(row) for row in result.rows)]
    if own:
        lines += [(), (Span("of the project, by all that it causes", Tone.FAINT),), *(_row(row) for row in own)]
    return (*lines, (), (Span("flame graph  ", Tone.FAINT), Span(clean(view.page))))


def _row(row: RowView) -> Line:
    frame = row.frame
    name = clean(frame.name)[:_LONGEST]
    where = f"{clean(frame.host if frame.own else frame.short)}{f':{frame.line}' if frame.line else ''}"
    tone = Tone.ACCENT if frame.own else Tone.PLAIN
    shares = f"{100 * row.own:5.1f}%  {100 * row.total:5.1f}%  "
    return (Span(shares), Span(f"{name:<{_LONGEST}}  ", tone), Span(where, Tone.DIM))
