"""One of several things: a list with a cursor. Escape chooses none."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from tui.model.choices import Choices
from tui.model.spans import Span, Tone
from tui.widgets.lines import LinesView
from tui.widgets.rowlist import RowList

MOST_ROWS = 10
ABOUT_LINES = 4


class Chooser(ModalScreen[str]):
    """Gives the key of the chosen row, "" for none."""

    AUTO_FOCUS = "#choices"

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self.choices = choices

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield LinesView(id="chooser-title")
            yield RowList(id="choices")
            yield LinesView(id="chooser-about")

    def on_mount(self) -> None:
        keys = (
            Span("  ⏎", Tone.KEY),
            Span(f" {self.choices.does}  ", Tone.DIM),
            Span("Esc", Tone.KEY),
            Span(f" {self.choices.leaves}", Tone.DIM),
        )
        self.query_one("#chooser-title", LinesView).show(((Span(self.choices.title, Tone.STRONG), *keys),))
        rows = self.query_one(RowList)
        rows.styles.height = min(MOST_ROWS, len(self.choices.rows), max(2, self.app.size.height - 10))
        rows.show(self.choices.rows)
        if self.choices.first:
            rows.point(self.choices.first)
        self._tell(rows.key)

    def _tell(self, key: str) -> None:
        view = self.query_one("#chooser-about", LinesView)
        lines = self.choices.about(key, max(20, min(76, self.app.size.width - 12)))[:ABOUT_LINES]
        view.styles.height = max(1, len(lines))
        view.show(lines)

    def on_row_list_pointed(self, event: RowList.Pointed) -> None:
        event.stop()
        if not isinstance(event, RowList.Entered):
            self._tell(event.key)

    def on_row_list_entered(self, event: RowList.Entered) -> None:
        event.stop()
        self.dismiss(event.key)

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            self.dismiss("")
