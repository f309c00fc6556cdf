"""A list with a cursor. It keeps the cursor on its row while rows come and go around it."""

from __future__ import annotations

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.model.spans import Row, spread
from tui.widgets.palette import CURSOR, DARK, strip


class RowList(ScrollView, can_focus=True):
    """Rows with a key can be chosen; rows without one are headings."""

    class Pointed(Message):
        """The cursor stands on another row; key "" when on none."""

        def __init__(self, rows: RowList, key: str) -> None:
            super().__init__()
            self.rows = rows
            self.key = key

        @property
        def control(self) -> RowList:
            return self.rows

    class Entered(Pointed):
        """Enter or a double click on a row."""

    cursor: reactive[int] = reactive(-1)

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.rows: tuple[Row, ...] = ()

    @property
    def key(self) -> str:
        return self.rows[self.cursor].key if 0 <= self.cursor < len(self.rows) else ""

    def show(self, rows: tuple[Row, ...]) -> None:
        """Replaces the rows."""
        if rows == self.rows:
            return
        before = self.key
        self.rows = rows
        self.virtual_size = Size(0, len(rows))
        keys = [row.key for row in rows]
        self.set_reactive(RowList.cursor, keys.index(before) if before and before in keys else self._near(self.cursor))
        if self.key != before:
            self.post_message(self.Pointed(self, self.key))
        self.refresh()

    def point(self, key: str) -> None:
        """Puts the cursor on the row with this key, if there is one."""
        for index, row in enumerate(self.rows):
            if row.key == key:
                self.cursor = index

    def _near(self, index: int) -> int:
        """The row that can be chosen at or after `index`, else before it, else -1."""
        index = max(0, index)
        below = [i for i in range(index, len(self.rows)) if self.rows[i].key]
        above = [i for i in range(min(index, len(self.rows)) - 1, -1, -1) if self.rows[i].key]
        return (below or above or [-1])[0]

    def watch_cursor(self) -> None:
        self.post_message(self.Pointed(self, self.key))
        self._reveal()
        self.refresh()

    def _reveal(self) -> None:
        height = self.scrollable_content_region.height
        top = self.scroll_offset.y
        if self.cursor < 0 or not height:
            return
        first = self.cursor == self._near(0)
        if self.cursor < top or first:
            self.scroll_to(y=0 if first else self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)

    def move(self, steps: int) -> None:
        """Moves the cursor over rows that can be chosen."""
        index = self.cursor
        while steps:
            step = 1 if steps > 0 else -1
            following = index + step
            while 0 <= following < len(self.rows) and not self.rows[following].key:
                following += step
            if not 0 <= following < len(self.rows):
                break
            index = following
            steps -= step
        self.cursor = index

    def on_key(self, event: events.Key) -> None:
        page = max(1, self.scrollable_content_region.height - 1)
        moves = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -page, "pagedown": page}
        moves |= {"home": -len(self.rows), "end": len(self.rows)}
        if event.key in moves:
            self.move(moves[event.key])
        elif event.key in ("enter", "space") and self.key:
            self.post_message(self.Entered(self, self.key))
        else:
            return
        event.stop()
        event.prevent_default()

    def on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y - self.gutter.top
        if 0 <= index < len(self.rows) and self.rows[index].key:
            self.cursor = index
            if event.chain == 2:
                self.post_message(self.Entered(self, self.key))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        y += self.scroll_offset.y
        cells = self.scrollable_content_region.width
        base = self.rich_style
        if not 0 <= y < len(self.rows):
            return Strip.blank(cells, base)
        row = self.rows[y]
        if y == self.cursor and row.key:
            with_keyboard, without = CURSOR.get(self.app.theme, CURSOR[DARK.name])
            base += with_keyboard if self.has_focus else without
        return strip(spread(row.left, row.right, cells), self.app.theme, base, cells)
