"""The output of the selected run. It pulls what is visible, a few times a second, and only while it is visible."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from textual import events
from textual.message import Message

from devenv.api.views import OutputChunk
from devenv.errors import DevenvError, NotFound
from tui.model.keys import LEAVE, encode
from tui.model.pull import FOLLOWED, TAIL, Request, after, before, follow
from tui.model.viewport import Anchor
from tui.widgets.textpane import TextPane

PERIOD = 0.15  # seconds between reads while output comes
RUSH_PERIOD = 0.25  # and while it comes faster than anyone can read
QUIET_PERIOD = 0.4  # and while none came for a while
QUIET_AFTER = 12  # reads without news
RETRY = 2.0  # seconds after a read that failed

Read = Callable[..., Awaitable[OutputChunk]]


class OutputPane(TextPane):
    """Shows one run. `reader` is the client's `read_output`."""

    class Typed(Message):
        """Bytes for the run."""

        def __init__(self, data: bytes) -> None:
            super().__init__()
            self.data = data

    class Left(Message):
        """The user stopped typing into the run."""

    def __init__(self, *, id: str, reader: Read) -> None:
        super().__init__(id=id)
        self.reader = reader
        self.run: str | None = None
        self.live = False
        self.tty = True
        self.typing = False
        self.trouble = ""  # why the last read failed
        self._seen = False
        self._wake = asyncio.Event()
        self._missing = 0
        self._begin = False
        self._rushing = False
        self._tail_size = 0  # of the output when its end was last read
        self._quiet = 0

    def select(self, run: str | None, *, live: bool, tty: bool) -> None:
        """Shows another run, or learns that the shown one has ended (its last bytes are still fetched)."""
        if run != self.run:
            self.run = run
            self._missing, self._begin, self._rushing, self._quiet, self._tail_size = 0, False, False, 0, 0
            self.trouble = ""
            self.clear()
            self._wake.set()
        if live != self.live:
            self.live = live
            self._wake.set()
        self.tty = tty

    def seen(self, visible: bool) -> None:
        """Nothing is read while the pane is not on the screen."""
        if visible != self._seen:
            self._seen = visible
            self._wake.set()

    def on_mount(self) -> None:
        self.run_worker(self._feed(), group="output", exclusive=True)

    def on_text_pane_short(self, event: TextPane.Short) -> None:
        self._missing = event.missing
        self._wake.set()

    def to_begin(self) -> None:
        self._begin = True
        self._wake.set()

    def to_end(self) -> None:
        self._missing, self._begin = 0, False
        self._rushing = not self.text_window.at_end
        super().to_end()
        self._wake.set()

    async def _feed(self) -> None:
        while True:
            request = self._next()
            if request is None:
                await self._wake.wait()
                self._wake.clear()
                continue
            self._wake.clear()
            run = self.run
            try:
                chunk = await self.reader(run, offset=request.offset, length=request.length, tail=request.tail)
            except DevenvError as error:
                self._failed(error)
                await self._pause(RETRY)
                continue
            if run == self.run:
                self.trouble = ""
                again = self._take(request, chunk)
                if not again:
                    quiet = QUIET_PERIOD if self._quiet > QUIET_AFTER else PERIOD
                    await self._pause(RUSH_PERIOD if self._rushing else quiet)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            pass

    def _failed(self, error: DevenvError) -> None:
        self.trouble = error.message
        if isinstance(error, NotFound):
            self.live = False
        self.post_message(self.Moved())

    def _next(self) -> Request | None:
        if self.run is None or not self._seen or (self.trouble and not self.live):
            return None
        if self._begin:
            return Request("begin", 0, FOLLOWED)
        if self._missing < 0 and not self.text_window.at_start:
            return before(self.text_window)
        if self._missing > 0 and not self.text_window.at_end:
            return after(self.text_window)
        self._missing = 0
        return follow(self.text_window, self.view, live=self.live, rushing=self._rushing)

    def _take(self, request: Request, chunk: OutputChunk) -> bool:
        """Puts the chunk where it belongs. True when the next read should follow at once."""
        window = self.text_window
        size = window.size
        again = False
        match request.side:
            case "begin":
                changed = window.replace(chunk)
                self.view.anchor, self._begin = Anchor(chunk.start), False
            case "before":
                changed = self._moved(window.prepend(chunk))
            case "after" if self._missing:
                changed = self._moved(window.append(chunk))
            case "after":
                again = changed = False
                if self.view.following:
                    self._rushing = again = chunk.end < chunk.size
                    changed = not again and window.append(chunk, FOLLOWED)
                else:
                    window.size = max(window.size, chunk.size)
            case _:
                changed = window.replace(chunk)
                self._rushing = chunk.size - self._tail_size > TAIL
                self._tail_size = chunk.size
        changed = changed or size != window.size
        self._quiet = 0 if changed else self._quiet + 1
        if changed:
            self.redraw()
            if size == 0 or not self.view.following:
                self.post_message(self.Moved())
        return again

    def _moved(self, added: bool) -> bool:
        self._missing = self.view.scroll(self._missing) if added else 0
        return added

    def on_key(self, event: events.Key) -> None:
        if not self.typing:
            super().on_key(event)
            return
        event.stop()
        event.prevent_default()
        if event.key == LEAVE:
            self.post_message(self.Left())
        elif data := encode(event.key, event.character, tty=self.tty):
            self.post_message(self.Typed(data))

    def on_paste(self, event: events.Paste) -> None:
        if self.typing:
            event.stop()
            self.post_message(self.Typed(event.text.encode()))
