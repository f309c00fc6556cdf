"""What stands over the workbench to be read: help, the environment in detail, the progress of long work."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from devenv.api.views import EnvironmentView
from tui.model.details import detail_lines
from tui.model.help import help_lines
from tui.model.progress import progress
from tui.model.spans import Lines, width
from tui.model.state import State
from tui.widgets.lines import LinesScroll, LinesView


class Overlay(ModalScreen[None]):
    """Any of `closing` closes it."""

    closing: ClassVar[tuple[str, ...]] = ("escape", "q", "enter", "question_mark")

    def on_key(self, event: events.Key) -> None:
        if event.key in self.closing:
            event.stop()
            self.dismiss()
            return
        for text in self.query(LinesScroll):
            page = max(1, text.size.height - 1)
            moves = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -page, "pagedown": page}
            moves |= {"home": -len(text.lines), "end": len(text.lines)}
            if event.key in moves:
                event.stop()
                text.scroll_relative(y=moves[event.key], animate=False)


class HelpScreen(Overlay):
    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = "Keys"
            box.border_subtitle = "Esc closes"
            yield LinesScroll(id="help-text")

    def on_mount(self) -> None:
        wide = self.app.size.width >= 150
        box = self.query_one(".box")
        box.styles.width = 140 if wide else min(92, self.app.size.width)
        lines = help_lines(136 if wide else min(88, self.app.size.width - 4))
        text = self.query_one(LinesScroll)
        text.styles.height = min(len(lines), self.app.size.height - 2)
        text.show(lines)


class DetailsScreen(Overlay):
    closing: ClassVar[tuple[str, ...]] = (*Overlay.closing, "e")

    def __init__(self, environment: EnvironmentView) -> None:
        super().__init__()
        self.environment = environment

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = "Environment"
            box.border_subtitle = "Esc closes"
            yield LinesScroll(id="details-text")

    def on_mount(self) -> None:
        lines = detail_lines(self.environment, max(20, min(64, self.app.size.width - 12)))
        text = self.query_one(LinesScroll)
        text.styles.height = min(len(lines), self.app.size.height - 8)
        text.show(lines)


class ReadingScreen(Overlay):
    """A text that was asked for; as wide as it needs."""

    def __init__(self, title: str, lines: Lines) -> None:
        super().__init__()
        self.heading = title
        self.lines = lines

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = self.heading
            box.border_subtitle = "Esc closes"
            yield LinesScroll(id="reading-text")

    def on_mount(self) -> None:
        wanted = max((width(line) for line in self.lines), default=0) + 8
        self.query_one(".box").styles.width = max(40, min(wanted, self.app.size.width))
        text = self.query_one(LinesScroll)
        text.styles.height = max(1, min(len(self.lines), self.app.size.height - 8))
        text.show(self.lines)


class ProgressScreen(Overlay):
    """Closing it stops nothing; `p` brings it back."""

    closing: ClassVar[tuple[str, ...]] = (*Overlay.closing, "p")

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_subtitle = "Esc hides this; the work goes on"
            yield LinesView(id="progress-text")

    def on_resize(self) -> None:
        self.show(self.state)

    def show(self, state: State) -> None:
        self.state = state
        views = self.query("#progress-text").results(LinesView)
        view = next(iter(views), None)
        if view is None or state.operation is None:
            return
        box = self.query_one(".box")
        box.border_subtitle = "Esc hides this; the work goes on" if state.operation.running else "Esc closes"
        if view.size.width:
            view.show(progress(state.operation, state.now, view.size.width, view.size.height))
