"""The two bars that can be clicked: the tabs and the footer. Both are drawn from `tui.model.footer`."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.model.footer import GAP
from tui.model.spans import Line, Span, width
from tui.widgets.palette import strip


class Bar(Widget):
    """Items side by side; a click on one reports its id."""

    class Picked(Message):
        def __init__(self, bar: Bar, id: str) -> None:
            super().__init__()
            self.bar = bar
            self.id = id

    def __init__(self, *, id: str, gap: int = GAP, margin: int = 1) -> None:
        super().__init__(id=id)
        self.items: tuple[tuple[str, Line], ...] = ()
        self.gap = gap
        self.margin = margin

    def show(self, items: tuple[tuple[str, Line], ...]) -> None:
        """Pairs of an id ("" when a click means nothing) and how the item looks."""
        if items != self.items:
            self.items = items
            self.refresh()

    def render_line(self, y: int) -> Strip:
        line: list[Span] = [Span(" " * self.margin)]
        for _, item in self.items:
            line += [*item, Span(" " * self.gap)]
        return strip(tuple(line) if y == 0 else (), self.app.theme, self.rich_style, self.size.width)

    def on_click(self, event: events.Click) -> None:
        left = self.margin
        for id, item in self.items:
            right = left + width(item)
            if left <= event.x < right + self.gap and id:
                self.post_message(self.Picked(self, id))
                return
            left = right + self.gap
