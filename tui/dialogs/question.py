"""A question with two answers. Escape, `n` and the second button say no; nothing dangerous is the default."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.model.spans import Line, Span, Tone, clean, wrap
from tui.widgets.lines import LinesView

CELLS = 64


@dataclass(frozen=True)
class Ask:
    """What is asked. `names`: what it is about, one per line. `danger`: it cannot be undone."""

    title: str
    text: str
    yes: str
    names: tuple[str, ...] = ()
    danger: bool = True


class Choice(Static, can_focus=True):
    """A button of one line."""

    def __init__(self, text: str, *, answer: bool) -> None:
        super().__init__(text, markup=False, classes=f"choice {'yes' if answer else 'no'}")
        self.answer = answer


class Question(ModalScreen[bool]):
    AUTO_FOCUS = ".no"

    def __init__(self, ask: Ask) -> None:
        super().__init__(classes="danger" if ask.danger else "")
        self.ask = ask

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield LinesView(id="question-text")
            with Horizontal(classes="buttons"):
                yield Choice(f"{self.ask.yes}  y", answer=True)
                yield Choice("Cancel  n", answer=False)

    def on_mount(self) -> None:
        cells = max(20, min(CELLS, self.app.size.width - 12))
        lines: list[Line] = [(Span(clean(self.ask.title), Tone.STRONG),), ()]
        lines += [(Span(part),) for part in wrap(self.ask.text, cells)]
        if self.ask.names:
            shown = self.ask.names[: max(1, self.app.size.height - 14)]
            lines += [(), *((Span("  ▶ ", Tone.INFO), Span(clean(name), Tone.STRONG)) for name in shown)]
            if len(shown) < len(self.ask.names):
                lines.append((Span(f"    and {len(self.ask.names) - len(shown)} more", Tone.DIM),))
        view = self.query_one(LinesView)
        view.styles.height = len(lines)
        view.show(tuple(lines))

    def on_key(self, event: events.Key) -> None:
        if event.key in ("y", "n", "escape"):
            event.stop()
            self.dismiss(event.key == "y")
        elif event.key in ("enter", "space") and isinstance(self.focused, Choice):
            event.stop()
            self.dismiss(self.focused.answer)
        elif event.key in ("left", "right"):
            self.focus_next(Choice)

    def on_click(self, event: events.Click) -> None:
        if isinstance(event.widget, Choice):
            self.dismiss(event.widget.answer)
