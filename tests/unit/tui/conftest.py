"""Opens the application over the fake client, and reads what stands on its screen."""

from __future__ import annotations

import io
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console
from textual.pilot import Pilot

from devenv.api import fake_scenes
from devenv.api.fake import FakeClient
from tui.app import DevenvApp
from tui.browser import Browser

GOLDENS = Path(__file__).parent / "goldens"
WIDE, NARROW = (200, 50), (80, 24)


@dataclass
class Table:
    """The application under test with its client."""

    app: DevenvApp
    client: FakeClient
    pilot: Pilot[int]
    opened: list[str] = field(default_factory=list)  # addresses handed to the browser

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(4):
            await self.pilot.pause()

    async def until(self, true: Callable[[], object], seconds: float = 10) -> None:
        """Waits for a condition of the screen or the client."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"did not come about; the screen:\n{self.text()}"
            await self.pilot.pause(0.01)
        await self.settle()

    async def sees(self, text: str) -> None:
        await self.until(lambda: text in self.text())

    def text(self) -> str:
        """The screen as plain text."""
        width, height = self.app.size
        console = Console(
            width=width, height=height, file=io.StringIO(), force_terminal=True, record=True, legacy_windows=False
        )
        console.print(self.app.screen._compositor.render_update(full=True))
        return "\n".join(line.rstrip() for line in console.export_text(styles=False).splitlines()).rstrip() + "\n"

    def asked(self, verb: str) -> list[tuple[object, ...]]:
        """The calls of one verb."""
        return [call[1:] for call in self.client.calls if call[0] == verb]

    def toasts(self) -> str:
        return "\n".join(f"{toast.title} {toast.message}" for toast in self.app._notifications)


Open = Callable[..., AbstractAsyncContextManager[Table]]


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def opened() -> Open:
    @asynccontextmanager
    async def open_app(
        client: FakeClient | None = None, size: tuple[int, int] = WIDE, display: bool = True
    ) -> AsyncIterator[Table]:
        client = client or fake_scenes.busy()
        addresses: list[str] = []

        def opener(address: str) -> bool:
            addresses.append(address)
            return True

        browser = Browser({"DISPLAY": ":0"} if display else {}, opener)
        app = DevenvApp(client, clock=fake_scenes.clock, browser=browser, theme="devenv-dark", ticks=False)
        async with app.run_test(size=size, notifications=True) as pilot:
            table = Table(app, client, pilot, addresses)
            await table.until(lambda: app.state.snapshot is not None or client.remembered == "")
            yield table

    return open_app


def golden(name: str, text: str) -> None:
    """Compares with the stored screen. `UPDATE_GOLDENS=1` stores what is there now: look at it before committing."""
    file = GOLDENS / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDENS"):
        file.write_text(text)
    assert file.exists(), f"{file.name} is missing; UPDATE_GOLDENS=1 writes it"
    assert text == file.read_text(), f"{file.name} differs; UPDATE_GOLDENS=1 writes it anew\n{text}"
