"""What a command may do to the application: the one narrow door between what is done and where it is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from devenv.api.port import Client
from tui.dialogs.question import Ask
from tui.model.choices import Choices
from tui.model.spans import Lines
from tui.model.state import Event, Pane, State
from tui.widgets.output import OutputPane
from tui.widgets.textpane import TextPane


class Desk(Protocol):
    """The application as commands see it. All of it belongs to the event loop of the application."""

    client: Client

    @property
    def state(self) -> State: ...
    def dispatch(self, event: Event) -> None: ...
    def now(self) -> float: ...
    def say(self, text: str, *, title: str = "", bad: bool = False) -> None:
        """A toast."""

    async def ask(self, ask: Ask) -> bool: ...
    async def prompt(self, title: str, placeholder: str) -> str | None: ...
    def copy(self, text: str) -> None:
        """To the clipboard of the user's terminal."""

    async def browse(self, address: str) -> bool:
        """Opens it in a browser on this machine; False when there is none to be seen."""

    def sees_browser(self) -> bool:
        """Whether a browser that is opened here can be seen by the person."""

    async def pick(self, choices: Choices) -> str:
        """Asks which one; the key of its row, "" for none."""

    def switch(self, config: str) -> None:
        """Shows another configuration of the folder from now on."""

    def turn(self, pane: Pane) -> None:
        """Shows a pane and puts the keyboard there."""

    def output(self) -> OutputPane: ...
    def text(self) -> TextPane:
        """The pane of text that has the keyboard, else the output."""

    def overlay(self, name: str) -> None:
        """help | details | progress | palette"""

    def read(self, title: str, lines: Lines) -> None:
        """Shows a text over the workbench, to be read and closed."""

    def close_progress(self) -> None: ...
    def next_theme(self) -> str: ...
    def reconnect(self) -> None: ...
    def leave(self) -> None: ...


Command = Callable[[Desk], Awaitable[None]]
