"""Draws lines of spans, and nothing else: header, banner, details, guides."""

from __future__ import annotations

from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui.model.spans import Line, Lines, Span, width
from tui.widgets.palette import strip


class LinesView(Widget):
    """As many lines as the styles give it room for. `centred`: in the middle of the widget, as one block."""

    def __init__(self, *, id: str | None = None, classes: str | None = None, centred: bool = False) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: Lines = ()
        self.centred = centred

    def show(self, lines: Lines) -> None:
        if lines != self.lines:
            self.lines = lines
            self.refresh()

    def base_style(self) -> Style:
        return self.rich_style

    def render_line(self, y: int) -> Strip:
        cells = self.size.width
        line: Line = ()
        if self.centred:
            y -= max(0, (self.size.height - len(self.lines)) // 2)
        if 0 <= y < len(self.lines):
            line = self.lines[y]
            if self.centred:
                block = max(width(each) for each in self.lines)
                line = (Span(" " * max(0, (cells - block) // 2)), *line)
        return strip(line, self.app.theme, self.base_style(), cells)


class LinesScroll(ScrollView):
    """Lines that may be more than there is room for."""

    can_focus = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: Lines = ()

    def show(self, lines: Lines, *, top: bool = True) -> None:
        if lines != self.lines:
            self.lines = lines
            self.virtual_size = Size(0, len(lines))
            if top:
                self.scroll_to(0, 0, animate=False)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        y += self.scroll_offset.y
        line = self.lines[y] if y < len(self.lines) else ()
        return strip(line, self.app.theme, self.rich_style, self.scrollable_content_region.width)
