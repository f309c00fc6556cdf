"""Draws the visible rows of a viewport, with a thin bar that shows where in the whole output they are."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.filter import Monochrome
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.model.spans import Lines, Tone, plain
from tui.model.viewport import Viewport, VisualRow
from tui.model.window import Window
from tui.widgets.palette import DARK, TONES, ink_over, strip

WHEEL = 3
_MONOCHROME = Monochrome()


class TextPane(Widget, can_focus=True):
    """Scrolls by rows through what the window holds; asks for more through `Short`."""

    class Short(Message):
        """`missing` rows (negative: above) could not be scrolled because they are not held."""

        def __init__(self, pane: TextPane, missing: int) -> None:
            super().__init__()
            self.pane = pane
            self.missing = missing

    class Moved(Message):
        """Another part is seen."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.text_window = Window()
        self.view = Viewport(self.text_window)
        self.guide: Lines = ()
        self.left = 0  # cells scrolled sideways, when lines are clipped
        self._rows: list[VisualRow] | None = None
        self._thumb = range(0)
        self._base: Style | None = None

    def clear(self) -> None:
        wrapping = self.view.wrapping
        self.text_window = Window()
        self.view = Viewport(self.text_window)
        self.view.wrapping = wrapping
        self.view.resize(self.size.width - 1, self.size.height)
        self.redraw()

    def redraw(self) -> None:
        self._rows = None
        self._base = None
        self.refresh()

    def scroll_rows(self, delta: int) -> None:
        missing = self.view.scroll(delta)
        self.redraw()
        self.post_message(self.Moved())
        if missing:
            self.post_message(self.Short(self, missing))

    def to_begin(self) -> None:
        self.scroll_rows(-len(self.text_window.data) - 1)

    def to_end(self) -> None:
        self.view.follow()
        self.redraw()
        self.post_message(self.Moved())

    def toggle_wrap(self) -> None:
        self.view.wrapping = not self.view.wrapping
        self.left = 0
        self.redraw()
        self.post_message(self.Moved())

    def visible_text(self) -> str:
        return "\n".join(row.text.rstrip() for row in self.rows())

    def rows(self) -> list[VisualRow]:
        if self._rows is None:
            self._rows = self.view.rows()
            self._thumb = self._place()
        return self._rows

    def _place(self) -> range:
        """The lines of the pane at which the bar of the scroll position is drawn."""
        begin, end = self.view.place(self._rows)
        height = self.view.height
        if begin <= 0.0 and end >= 0.999 and len(self._rows or ()) < height:
            return range(0)
        top = min(int(begin * height), height - 1)
        return range(top, height if self.view.following else max(top + 1, round(end * height)))

    def on_resize(self, event: events.Resize) -> None:
        self.view.resize(self.size.width - 1, self.size.height)
        self.redraw()

    def on_key(self, event: events.Key) -> None:
        page = max(1, self.view.height - 1)
        moves = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -page, "pagedown": page}
        if event.key in moves:
            self.scroll_rows(moves[event.key])
        elif event.key == "home":
            self.to_begin()
        elif event.key == "end":
            self.to_end()
        elif event.key in ("left", "right") and not self.view.wrapping:
            self.left = max(0, self.left + (8 if event.key == "right" else -8))
            self.refresh()
        else:
            return
        event.stop()
        event.prevent_default()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.scroll_rows(-WHEEL)
        event.stop()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.scroll_rows(WHEEL)
        event.stop()

    def render_line(self, y: int) -> Strip:
        cells = self.size.width
        rows = self.rows()
        base = self._base
        if base is None:
            base = self._base = self.rich_style
        if not rows:
            return self._guide_line(y, base, cells)
        segments: list[Segment] = []
        theme = self.app.theme
        used = 0
        if y < len(rows):
            segments = [Segment(text, ink_over(base, ink, theme)) for text, ink in rows[y].parts]
            used = rows[y].cells
        if self.left or used >= cells:
            segments = list(Strip(segments).crop(self.left, self.left + cells - 1).adjust_cell_length(cells - 1, base))
        elif used < cells - 1:
            segments.append(Segment(" " * (cells - 1 - used), base))
        segments.append(self._bar(y, base))
        return Strip(segments, cells)

    def render_lines(self, crop: Region) -> list[Strip]:
        """All lines at once, past the cache of box styles: this pane has neither border nor padding, and every frame
        of a running program is new."""
        strips = [self.render_line(y) for y in crop.line_range]
        if crop.column_span != (0, self.size.width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        if self.app.no_color:
            strips = [strip.apply_filter(_MONOCHROME, self.background_colors[1]) for strip in strips]
        return strips

    def notify_style_update(self) -> None:
        self._base = None
        super().notify_style_update()

    def _guide_line(self, y: int, base: Style, cells: int) -> Strip:
        index = y - max(0, (self.size.height - len(self.guide)) // 2)
        if not 0 <= index < len(self.guide):
            return Strip.blank(cells, base)
        block = max(len(plain([line])) for line in self.guide)
        left = max(0, (cells - block) // 2)
        inner = strip(self.guide[index], self.app.theme, base, max(0, cells - left))
        return Strip.join([Strip.blank(left, base), inner])

    def _bar(self, y: int, base: Style) -> Segment:
        if y not in self._thumb:
            return Segment(" ", base)
        return Segment("▐", base + TONES.get(self.app.theme, TONES[DARK.name])[Tone.FAINT])
