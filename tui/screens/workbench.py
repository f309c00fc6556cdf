"""The screen of one environment. Large: three columns. Small: one pane at a time, behind tabs. Same widgets in both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from devenv.api.port import Client
from devenv.api.views import EnvStatus, RunState, RunView
from tui.model import ports, tests
from tui.model.footer import footer, tabs
from tui.model.guide import guide
from tui.model.header import banner, header
from tui.model.runs import config_rows, history_rows, output_title
from tui.model.spans import Line, Span, Tone
from tui.model.state import Event, Focused, Pane, Pointed, Resized, State
from tui.widgets.bars import Bar
from tui.widgets.buildlog import BuildLog
from tui.widgets.lines import LinesScroll, LinesView
from tui.widgets.output import OutputPane
from tui.widgets.palette import ALARM, DARK, TONES
from tui.widgets.rowlist import RowList

BUILDING = (EnvStatus.CREATING, EnvStatus.BUILDING, EnvStatus.STARTING)


class Desk(Protocol):
    """What the screen needs of the application."""

    state: State
    client: Client

    def dispatch(self, event: Event) -> None: ...
    def fit(self, run: str, rows: int, columns: int) -> None: ...


class Banner(LinesView):
    def base_style(self) -> object:  # type: ignore[override]
        return ALARM.get(self.app.theme, ALARM[DARK.name])


class Workbench(Screen[None]):
    """Draws the state; what the user does goes to the desk as events, commands go through the action table."""

    AUTO_FOCUS = "#configs"

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._composed = False
        self._fitted: tuple[str, int, int] | None = None

    def compose(self) -> ComposeResult:
        yield Banner(id="banner")
        yield LinesView(id="header")
        yield Bar(id="tabs", gap=0, margin=0)
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield RowList(id="configs")
                yield RowList(id="history")
            with Vertical(id="output"):
                yield OutputPane(id="output-text", reader=self.desk.client.read_output)
            with Vertical(id="right"):
                yield Bar(id="side-tabs", gap=0, margin=0)
                with Vertical(id="tests", classes="panel"):
                    yield LinesView(id="test-summary")
                    yield RowList(id="test-rows")
                    yield LinesScroll(id="test-detail", classes="detail")
                with Vertical(id="ports", classes="panel"):
                    yield RowList(id="port-rows")
                    yield LinesScroll(id="port-detail", classes="detail")
                with Vertical(id="build"):
                    yield BuildLog(id="build-text", reader=self.desk.client.build_log)
        yield Bar(id="footer")

    def on_mount(self) -> None:
        self.query_one("#configs").border_title = "Run"
        self.query_one("#history").border_title = "History"
        self._composed = True
        self.show(self.desk.state)

    def on_resize(self, event: events.Resize) -> None:
        self.desk.dispatch(Resized(event.size.width, event.size.height))

    # Drawing

    def show(self, state: State) -> None:
        """Draws the state. What is not visible is not computed."""
        if not self._composed or not self.query("#footer"):
            return
        self._arrange(state)
        cells = self.size.width or state.columns
        alarm = banner(state, cells)
        self.query_one("#banner", Banner).display = bool(alarm)
        self.query_one("#banner", Banner).show((alarm,))
        self.query_one("#header", LinesView).show(header(state, cells - 2))
        keys = footer(state, cells)
        self.query_one("#footer", Bar).show(tuple((action.id if action else "", line) for action, line in keys))
        if state.shows(Pane.RUNS):
            self.query_one("#configs", RowList).show(config_rows(state))
            self.query_one("#history", RowList).show(history_rows(state))
        self.show_output(state)
        if state.shows(Pane.TESTS):
            self._show_tests(state)
        if state.shows(Pane.PORTS):
            self.query_one("#port-rows", RowList).show(ports.port_rows(state))
            self._detail("#port-detail", "#ports", lambda width: ports.detail(state, state.port, width))
        building = state.working or state.status in BUILDING
        self.query_one("#build-text", BuildLog).show(visible=state.shows(Pane.BUILD), building=building)

    def _arrange(self, state: State) -> None:
        self.set_class(state.wide, "wide")
        bar = self.query_one("#side-tabs" if state.wide else "#tabs", Bar)
        room = bar.size.width or (state.columns if not state.wide else 50)
        bar.show(tuple((pane.value, line) for pane, line in tabs(state, room)))
        for pane, selector in PANES.items():
            widget = self.query_one(selector)
            if widget.display != state.shows(pane):
                widget.display = state.shows(pane)
        right = any(state.shows(pane) for pane in (Pane.TESTS, Pane.PORTS, Pane.BUILD))
        self.query_one("#right").display = right

    def show_output(self, state: State) -> None:
        pane = self.query_one("#output-text", OutputPane)
        run = state.run(state.selected)
        pane.select(state.selected, live=run is not None and run.state.live, tty=run is None or run.tty)
        pane.seen(state.shows(Pane.OUTPUT))
        pane.typing = state.input_mode
        self._fit(state, run, pane)
        frame = self.query_one("#output")
        frame.set_class(state.input_mode, "typing")
        if run is None:
            pane.guide = guide(state)
        elif pane.trouble:
            pane.guide = ((Span(pane.trouble, Tone.WARN),),)
        else:
            waiting = "No output yet." if run.state.live else "It printed nothing."
            pane.guide = ((Span(waiting, Tone.DIM),),)
        if not pane.rows():
            pane.refresh()
        view = pane.view
        left, right = output_title(
            state, following=view.following, place=view.place(pane.rows())[1], wrapping=view.wrapping
        )
        self._title(frame, "border_title", left)
        self._title(frame, "border_subtitle", right)

    def _fit(self, state: State, run: RunView | None, pane: OutputPane) -> None:
        """The terminal of a run that nobody else looks at has the size of the pane."""
        rows, columns = pane.size.height, pane.size.width
        if run is None or not (run.state is RunState.RUNNING and run.tty) or run.attached or run.kind == "service":
            return
        if not state.shows(Pane.OUTPUT) or rows < 2 or columns < 20 or self._fitted == (run.id, rows, columns):
            return
        self._fitted = (run.id, rows, columns)
        self.desk.fit(run.id, rows, columns)

    def _show_tests(self, state: State) -> None:
        if state.snapshot is None:
            return
        self.query_one("#test-summary", LinesView).show((tests.summary(state.snapshot.tests),))
        self.query_one("#test-rows", RowList).show(tests.test_rows(state))
        self._detail("#test-detail", "#tests", lambda width: tests.detail(state, state.test, width))

    def _detail(self, selector: str, panel: str, make: object) -> None:
        detail = self.query_one(selector, LinesScroll)
        width = max(20, self.query_one(panel).size.width - 3)
        lines = make(width)  # type: ignore[operator]
        detail.display = bool(lines)
        detail.show(lines)

    def _title(self, widget: Widget, where: str, line: Line) -> None:
        tones = TONES.get(self.app.theme, TONES[DARK.name])
        content = Content.assemble(*((span.text, str(tones[span.tone])) for span in line))
        if getattr(widget, where) != content.markup:
            setattr(widget, where, content)

    # What the user does

    def focus_pane(self, pane: Pane) -> None:
        self.query_one(FOCUS[pane]).focus()

    def panes(self) -> Iterator[tuple[Pane, Widget]]:
        for pane, selector in PANES.items():
            yield pane, self.query_one(selector)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for pane, widget in self.panes():
            if event.widget is widget or widget in event.widget.ancestors:
                self.desk.dispatch(Focused(pane))

    def on_row_list_pointed(self, event: RowList.Pointed) -> None:
        where = {"configs": "config", "test-rows": "test", "port-rows": "port"}.get(event.rows.id or "")
        if where is not None and not isinstance(event, RowList.Entered):
            self.desk.dispatch(Pointed(where, event.key))

    def on_text_pane_moved(self) -> None:
        self.show_output(self.desk.state)


PANES = {
    Pane.RUNS: "#left",
    Pane.OUTPUT: "#output",
    Pane.TESTS: "#tests",
    Pane.PORTS: "#ports",
    Pane.BUILD: "#build",
}
FOCUS = {
    Pane.RUNS: "#configs",
    Pane.OUTPUT: "#output-text",
    Pane.TESTS: "#test-rows",
    Pane.PORTS: "#port-rows",
    Pane.BUILD: "#build-text",
}
