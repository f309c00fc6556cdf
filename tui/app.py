"""The terminal UI: one client, one state, one screen. This file wires them and decides nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from devenv.api.port import Client
from devenv.api.views import PortView
from devenv.errors import DevenvError
from tui.actions import ACTIONS, BY_ID
from tui.browser import Browser
from tui.commands import COMMANDS
from tui.commands.openings import greet
from tui.commands.palette import Actions
from tui.dialogs.chooser import Chooser
from tui.dialogs.prompt import Prompt
from tui.dialogs.question import Ask, Question
from tui.farewell import farewell
from tui.model.choices import Choices
from tui.model.configurations import configuration_choices
from tui.model.openings import begun
from tui.model.reducer import reduce
from tui.model.spans import Lines
from tui.model.state import (
    Arrived,
    Asked,
    Chosen,
    Event,
    Folded,
    Lost,
    Pane,
    State,
    Switched,
    Ticked,
    Turned,
    Typing,
)
from tui.screens.overlays import DetailsScreen, HelpScreen, ProgressScreen, ReadingScreen
from tui.screens.workbench import Workbench
from tui.widgets.bars import Bar
from tui.widgets.output import OutputPane
from tui.widgets.palette import ANSI, DARK, TERMINAL_DARK, TERMINAL_LIGHT, THEMES
from tui.widgets.rowlist import RowList
from tui.widgets.textpane import TextPane

RETRY = 2.0  # seconds between attempts to watch again


class DevenvApp(App[int]):
    """Screens get the newest state; commands come from the action table; errors become toasts."""

    TITLE = "devenv"
    CSS_PATH = ["styles/app.tcss", "styles/dialogs.tcss"]
    COMMANDS = {Actions}
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, f"perform('{action.id}')", action.text, show=False)
        for action in ACTIONS
        for key in action.keys
        if action.id != "palette"
    ]

    def __init__(
        self,
        client: Client,
        *,
        clock: Callable[[], float] = time.time,
        browser: Browser | None = None,
        theme: str = "",
        ticks: bool = True,
    ) -> None:
        super().__init__()
        self.client = client
        self.state = State(now=clock())
        self.now = clock
        self.browser = browser or Browser()
        self._workbench: Workbench | None = None
        self._drawing = False
        self._ticks = ticks
        self._again = asyncio.Event()
        self._input: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        for known in THEMES:
            self.register_theme(known)
        self.ansi_theme_dark, self.ansi_theme_light = TERMINAL_DARK, TERMINAL_LIGHT
        self.theme = theme or (ANSI.name if self.console.color_system == "standard" else DARK.name)

    def get_default_screen(self) -> Screen[Any]:
        self._workbench = Workbench(self)
        return self._workbench

    def on_mount(self) -> None:
        self.run_worker(self._watch(), group="watch", exclusive=True)
        self.run_worker(self._send(), group="input", exclusive=True)
        if self._ticks:
            self.set_interval(1.0, self._tick)

    def on_unmount(self) -> None:
        self.browser.close()

    # State

    def dispatch(self, event: Event) -> None:
        """Changes the state; the screen is drawn once for all events of one turn of the loop."""
        before, self.state = self.state, reduce(self.state, event)
        if self.state is not before and not self._drawing:
            self._drawing = True
            self.call_next(self._draw)

    def _draw(self) -> None:
        self._drawing = False
        if self._workbench is not None:
            self._workbench.show(self.state)
        if (progress := self._progress()) is not None:
            progress.show(self.state)

    def _tick(self) -> None:
        self.dispatch(Ticked(self.now()))

    async def _watch(self) -> None:
        while True:
            try:
                async for snapshot in self.client.watch():
                    self._arrived(Arrived(snapshot, self.now()))
                lost: Event = Lost("it ended.", "")
            except DevenvError as error:
                if error.details.get("offer") == "configs":
                    if await self._choose(str(error.details.get("remembered") or "")):
                        continue
                    lost = Asked()
                else:
                    lost = Lost(error.message, error.hint)
            self.dispatch(lost)
            try:
                await asyncio.wait_for(self._again.wait(), None if isinstance(lost, Asked) else RETRY)
            except TimeoutError:
                pass
            self._again.clear()

    def _arrived(self, event: Arrived) -> None:
        before = self.state
        self.dispatch(event)
        if news := begun(before, self.state):
            self.run_worker(self._greet(news), group="openings")
        if self.state.failed_behind and not before.failed_behind and self.state.operation is not None:
            hint = self.state.operation.hint
            self.say(
                f"{hint}\nu runs it again, p shows what it printed.".lstrip(),
                title=self.state.operation.error,
                bad=True,
            )

    async def _greet(self, news: list[PortView]) -> None:
        with contextlib.suppress(DevenvError):  # the supervisor went away: its ports did, too
            await greet(self, news)

    async def _choose(self, remembered: str) -> bool:
        """A folder with several configurations and no default one: the one of last time, or the person is asked."""
        if remembered:
            self.client.choose(remembered)
            self.say(f"{self._short(remembered)}: C chooses another one.", title="The configuration of last time")
            return True
        self.dispatch(Asked())
        try:
            chosen = await self.pick(configuration_choices(await self.client.configurations(), ""))
        except DevenvError as error:
            self._fail(error)
            return False
        if chosen:
            self.client.choose(chosen)
        return bool(chosen)

    def _short(self, file: str) -> str:
        return os.path.relpath(file, self.client.folder)

    async def pick(self, choices: Choices) -> str:
        return await self.push_screen_wait(Chooser(choices))

    def switch(self, config: str) -> None:
        self.client.choose(config)
        self.dispatch(Switched())
        self.run_worker(self._watch(), group="watch", exclusive=True)

    async def _send(self) -> None:
        """Input goes out in the order in which it was typed."""
        while True:
            run, data = await self._input.get()
            while not self._input.empty() and self._input._queue[0][0] == run:  # type: ignore[attr-defined]
                data += self._input.get_nowait()[1]
            try:
                await self.client.send_input(run, data)
            except DevenvError as error:
                self._fail(error)
                self.dispatch(Typing(False))

    def fit(self, run: str, rows: int, columns: int) -> None:
        """The run's terminal gets the size of the pane that shows it."""
        self.run_worker(self._fit(run, rows, columns), group="fit", exclusive=True)

    async def _fit(self, run: str, rows: int, columns: int) -> None:
        with contextlib.suppress(DevenvError):  # it has just ended, or the link is gone: the next size is tried again
            await self.client.resize(run, rows, columns)

    # Commands

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self.state.input_mode and action in ("command_palette", "quit"):
            return False  # the key belongs to the run
        return super().check_action(action, parameters)

    def action_perform(self, id: str) -> None:
        self.perform(id)

    def perform(self, id: str) -> None:
        """Runs an action if it makes sense now."""
        if BY_ID[id].when(self.state):
            self.run_worker(self._perform(id), group="command")

    async def _perform(self, id: str) -> None:
        try:
            await COMMANDS[id](self)
        except DevenvError as error:
            self._fail(error)

    def _fail(self, error: DevenvError) -> None:
        self.say(error.hint, title=error.message.splitlines()[0], bad=True)

    def say(self, text: str, *, title: str = "", bad: bool = False) -> None:
        self.notify(
            text, title=title, severity="error" if bad else "information", timeout=8 if bad else 4, markup=False
        )

    async def ask(self, ask: Ask) -> bool:
        answer: bool = await self.push_screen_wait(Question(ask))
        return answer

    async def prompt(self, title: str, placeholder: str) -> str | None:
        return await self.push_screen_wait(Prompt(title, placeholder))

    def copy(self, text: str) -> None:
        self.copy_to_clipboard(text)

    def sees_browser(self) -> bool:
        return self.browser.visible

    async def browse(self, address: str) -> bool:
        return await asyncio.to_thread(self.browser.open, address)

    def turn(self, pane: Pane) -> None:
        self.dispatch(Turned(pane))
        if self._workbench is not None:
            self._workbench.show(self.state)
            self._workbench.focus_pane(pane)

    def output(self) -> OutputPane:
        assert self._workbench is not None
        return self._workbench.query_one("#output-text", OutputPane)

    def text(self) -> TextPane:
        return self.focused if isinstance(self.focused, TextPane) else self.output()

    def overlay(self, name: str) -> None:
        if name == "palette":
            self.action_command_palette()
        elif name == "help":
            self.push_screen(HelpScreen())
        elif name == "details" and self.state.snapshot is not None:
            self.push_screen(DetailsScreen(self.state.snapshot.environment))
        elif name == "progress" and self._progress() is None:
            self.push_screen(ProgressScreen(self.state))

    def read(self, title: str, lines: Lines) -> None:
        self.push_screen(ReadingScreen(title, lines))

    def _progress(self) -> ProgressScreen | None:
        top = self.screen_stack[-1] if self.screen_stack else None
        return top if isinstance(top, ProgressScreen) else None

    def close_progress(self) -> None:
        if (progress := self._progress()) is not None:
            progress.dismiss()

    def next_theme(self) -> str:
        names = [theme.name for theme in THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self._draw()
        return self.theme

    def reconnect(self) -> None:
        self._again.set()

    def leave(self) -> None:
        self.exit(0)

    # What the widgets report

    def on_bar_picked(self, event: Bar.Picked) -> None:
        if event.bar.id == "footer":
            self.perform(event.id)
        else:
            self.turn(Pane(event.id))

    def on_row_list_entered(self, event: RowList.Entered) -> None:
        kind, _, name = event.key.partition(":")
        if kind == "config":
            config = (
                next((c for c in self.state.snapshot.configs if c.name == name), None) if self.state.snapshot else None
            )
            if config is not None and config.run is not None:
                self._show_run(config.run)
            else:
                self.perform("run")
        elif kind == "run":
            self._show_run(name)
        elif kind == "file":
            self.dispatch(Folded(name))
        elif kind == "service" and (service := self.state.service(name)) is not None and service.run is not None:
            self._show_run(service.run)
        elif kind == "port":
            self.perform("copy")

    def _show_run(self, run: str) -> None:
        self.dispatch(Chosen(run))
        if not self.state.wide:
            self.turn(Pane.OUTPUT)

    def on_output_pane_typed(self, event: OutputPane.Typed) -> None:
        if self.state.selected is not None:
            self._input.put_nowait((self.state.selected, event.data))

    def on_output_pane_left(self) -> None:
        self.dispatch(Typing(False))


def main(client: Client) -> int:
    """Runs the terminal UI until the user leaves it. The client stays open; who made it closes it."""
    app = DevenvApp(client)
    code = app.run() or 0
    if app.return_code == 0:
        farewell(client, app.state)
    return code
