"""The build log, read while it is visible: once, and again while something is being built."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from devenv.api.views import OutputChunk
from devenv.errors import DevenvError
from tui.model.spans import Span, Tone
from tui.widgets.textpane import TextPane

PERIOD = 0.5  # seconds between reads while a build runs
TAIL = 262_144  # bytes


class BuildLog(TextPane):
    """`reader` is the client's `build_log`."""

    def __init__(self, *, id: str, reader: Callable[..., Awaitable[str]]) -> None:
        super().__init__(id=id)
        self.reader = reader
        self._seen = False
        self._building = False
        self._stale = True
        self._wake = asyncio.Event()
        self.guide = ((Span("Nothing was built yet.", Tone.DIM),),)

    def show(self, *, visible: bool, building: bool) -> None:
        """Says what is going on; a build that has ended is read once more."""
        self._stale = self._stale or building != self._building or (visible and not self._seen)
        if visible and not self._seen:
            self._wake.set()
        if building != self._building:
            self._wake.set()
        self._seen, self._building = visible, building

    def on_mount(self) -> None:
        self.run_worker(self._feed(), group="build-log", exclusive=True)

    async def _feed(self) -> None:
        while True:
            if not self._seen or not (self._stale or self._building):
                await self._wake.wait()
            self._wake.clear()
            if not self._seen:
                continue
            self._stale = False
            try:
                text = await self.reader(tail=TAIL)
            except DevenvError as error:
                text = f"{error.message}\n{error.hint}"
            self._take(text.encode())
            try:
                await asyncio.wait_for(self._wake.wait(), PERIOD)
            except TimeoutError:
                pass

    def _take(self, data: bytes) -> None:
        if self.text_window.replace(OutputChunk(start=0, end=len(data), size=len(data), data=data)):
            self.redraw()
