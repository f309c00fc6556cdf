"""The footer: the keys that make sense now, as many as fit. And the tabs, which carry news of what they hide."""

from __future__ import annotations

from tui.actions import Action, offered
from tui.model.spans import Line, Span, Tone, width
from tui.model.state import SIDE, Pane, State

GAP = 2


def footer(state: State, cells: int) -> list[tuple[Action | None, Line]]:
    """Pairs of an action and how it is drawn (a gap behind each included), together at most `cells` wide."""
    if state.input_mode:
        text = (Span(" Ctrl-]", Tone.KEY), Span(" stop typing; everything else goes to the run", Tone.DIM))
        return [(None, text)]
    out: list[tuple[Action | None, Line]] = []
    used = 1
    last = [action for action in offered(state) if action.id in ("help", "quit")]
    first = [action for action in offered(state) if action not in last]
    reserved = sum(width(_item(action)) + GAP for action in last)
    for action in first:
        item = _item(action)
        if used + width(item) + GAP + reserved > cells:
            break
        out.append((action, item))
        used += width(item) + GAP
    out += [(action, _item(action)) for action in last]
    return out


def _item(action: Action) -> Line:
    return (Span(action.key_text.split(" ")[0], Tone.KEY), Span(f" {action.label}", Tone.DIM))


def tabs(state: State, cells: int) -> list[tuple[Pane, Line]]:
    """The tabs of the small screen, or of the right column of the large one; short titles when there is no room."""
    panes = SIDE if state.wide else tuple(Pane)
    active = state.side if state.wide else state.tab
    shown = [(pane, _tab(state, pane, pane.heading, pane is active)) for pane in panes]
    if sum(width(line) for _, line in shown) > cells:
        shown = [(pane, _tab(state, pane, pane.short, pane is active)) for pane in panes]
    return shown


def _tab(state: State, pane: Pane, title: str, active: bool) -> Line:
    number = list(Pane).index(pane) + 1
    line: Line = (
        Span(f" {number} ", Tone.ACCENT if active else Tone.FAINT),
        Span(title, Tone.STRONG if active else Tone.DIM),
    )
    return (*line, *_news(state, pane), Span(" "))


def _news(state: State, pane: Pane) -> Line:
    if state.snapshot is None:
        return ()
    if pane is Pane.TESTS and state.snapshot.tests.failed:
        return (Span(f" ✘{state.snapshot.tests.failed}", Tone.BAD),)
    if pane is Pane.RUNS:
        live = sum(run.state.live for run in state.runs)
        return (Span(f" ▶{live}", Tone.INFO),) if live else ()
    if pane is Pane.PORTS:
        count = sum(port.listening for port in state.snapshot.ports)
        return (Span(f" {count}", Tone.INFO),) if count else ()
    return ()
