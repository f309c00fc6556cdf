"""One line of text from the user; None when the user thinks better of it."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tui.model.spans import Span, Tone
from tui.widgets.lines import LinesView


class Prompt(ModalScreen[str | None]):
    def __init__(self, title: str, placeholder: str) -> None:
        super().__init__()
        self.title_text = title
        self.placeholder = placeholder

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            view = LinesView()
            view.styles.height = 1
            yield view
            yield Input(placeholder=self.placeholder)

    def on_mount(self) -> None:
        keys = (Span("  ⏎", Tone.KEY), Span(" starts  ", Tone.DIM), Span("Esc", Tone.KEY), Span(" cancels", Tone.DIM))
        self.query_one(LinesView).show(((Span(self.title_text, Tone.STRONG), *keys),))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            self.dismiss(None)
