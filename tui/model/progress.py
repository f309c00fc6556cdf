"""The report of long work: steps with their times, then the newest lines of the log."""

from __future__ import annotations

import re

from tui.model.ansi import overwritten
from tui.model.formatting import bar, duration, ticking
from tui.model.spans import Line, Lines, Span, Tone, clean, clip_line, spread, wrap
from tui.model.state import Operation, Step

BAR = 16
_SECONDS = re.compile(r"[\d.]+ ?s")


def progress(operation: Operation, now: float, cells: int, lines: int) -> Lines:
    """Exactly what fits in `cells` by `lines`: all steps (the newest when there are too many), then log lines."""
    out: list[Line] = [spread(_title(operation), (Span(_time(operation, now), Tone.DIM),), cells), ()]
    error = _error(operation, cells)
    room = max(1, lines - len(out) - len(error) - 4)
    out += [_step(step, now, cells) for step in operation.steps[-room:]]
    log_room = lines - len(out) - len(error) - 1
    if operation.log and log_room > 0:
        out.append(())
        out += [_log(text, cells) for text in operation.log[-log_room:]]
    return (*out, *error)


def _title(operation: Operation) -> Line:
    if operation.running:
        return (Span("◑ ", Tone.WARN), Span(operation.title, Tone.STRONG))
    if operation.error:
        return (Span("✘ ", Tone.BAD), Span(f"{operation.title} failed", Tone.STRONG))
    return (Span("✔ ", Tone.OK), Span(operation.title, Tone.STRONG))


def _time(operation: Operation, now: float) -> str:
    if operation.ended is not None:
        return duration(operation.ended - operation.started)
    return ticking(now - operation.started)


def _step(step: Step, now: float, cells: int) -> Line:
    if step.ended is None:
        mark, time = Span("  ◑ ", Tone.WARN), ticking(now - step.started)
    else:
        mark = Span("  ✔ ", Tone.OK) if step.ok else Span("  ✘ ", Tone.BAD)
        time = duration(step.ended - step.started)
    left: Line = (mark, Span(clean(step.title), Tone.PLAIN if step.ended is None else Tone.DIM))
    if step.detail and (step.ended is None or not _SECONDS.fullmatch(step.detail)):  # its time stands at the right
        left += (Span(f"  {clean(step.detail)}", Tone.FAINT),)
    right: Line = (Span(f"{time:>7}", Tone.DIM),)
    if step.ended is None and step.fraction is not None and cells > 50:
        full, empty = bar(step.fraction, BAR)
        right = (Span(full, Tone.ACCENT), Span(empty, Tone.FAINT), Span(f" {step.fraction:>4.0%}"), *right)
    return spread(left, right, cells)


def _log(text: str, cells: int) -> Line:
    parts, _ = overwritten(text)
    return clip_line((Span("    " + "".join(part for part, _ in parts), Tone.FAINT),), cells)


def _error(operation: Operation, cells: int) -> Lines:
    if not operation.error:
        return ()
    lines: list[Line] = [()]
    lines += [(Span(part, Tone.BAD),) for text in operation.error.splitlines()[-8:] for part in wrap(text, cells)]
    lines += [(Span(part, Tone.PLAIN),) for part in wrap(operation.hint, cells) if part]
    return tuple(lines)
