"""Everything a person can do, in one table. Keys, footer, command palette, help screen and documentation come from it.

An action says when it makes sense; what it does stands in `tui.commands` under the same id. No Textual in here.
"""

# ruff: noqa: E501  (a table reads best with one action in one line)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from devenv.api.views import EnvStatus
from tui.model.ports import addresses
from tui.model.ports import find as find_port
from tui.model.state import Link, Pane, State
from tui.model.tests import failed_ids

When = Callable[[State], bool]


@dataclass(frozen=True)
class Action:
    """`label` is for the footer, `text` for help and palette. `panes`: where the footer offers it (empty: anywhere)."""

    id: str
    keys: tuple[str, ...]
    label: str
    text: str
    group: str
    when: When = lambda state: True
    panes: tuple[Pane, ...] = ()
    weight: int = 5  # lower comes first in the footer; 9 never stands there

    @property
    def key_text(self) -> str:
        return " ".join(key_name(key) for key in self.keys)


_NAMES = {
    "question_mark": "?",
    "enter": "⏎",
    "escape": "Esc",
    "space": "Space",
    "ctrl+right_square_bracket": "Ctrl-]",
    "tab": "Tab",
    "shift+tab": "Shift-Tab",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


def key_name(key: str) -> str:
    """The key as people write it."""
    if key in _NAMES:
        return _NAMES[key]
    return f"Ctrl-{key[5:].upper()}" if key.startswith("ctrl+") else key


def _idle(state: State) -> bool:
    return state.snapshot is not None and not state.busy


def _status(*wanted: EnvStatus) -> When:
    return lambda state: _idle(state) and state.status in wanted


def _to_be_upped(state: State) -> bool:
    """Also a running one, to run the lifecycle commands again that failed."""
    return _status(*DOWN)(state) or (_idle(state) and state.up and state.failed_behind)


def _several(state: State) -> bool:
    asked = state.link is Link.ASKING
    return asked or (_idle(state) and state.snapshot is not None and bool(state.snapshot.environment.others))


def _selected(state: State) -> bool:
    return state.run(state.selected) is not None


def _live(state: State) -> bool:
    run = state.run(state.selected)
    return run is not None and run.state.live


def _configured(state: State) -> bool:
    return state.up and bool(state.config)


def _testing(state: State) -> bool:
    return state.snapshot is not None and state.snapshot.tests.state in ("collecting", "running")


def _address(state: State) -> bool:
    return bool(addresses(state, state.port)[1])


def _service(state: State) -> bool:
    return state.up and state.port.startswith("service:") and find_port(state, state.port) is not None


R, O, T, P, B = Pane.RUNS, Pane.OUTPUT, Pane.TESTS, Pane.PORTS, Pane.BUILD  # noqa: E741
DOWN = (EnvStatus.ABSENT, EnvStatus.STOPPED, EnvStatus.BROKEN)
MADE = (EnvStatus.RUNNING, EnvStatus.STOPPED, EnvStatus.BROKEN, EnvStatus.PAUSED)

ACTIONS: tuple[Action, ...] = (
    Action("up", ("u",), "up", "Bring the environment up", "Environment", _to_be_upped, weight=0),
    Action("start", ("s",), "start", "Start the stopped container", "Environment", _status(EnvStatus.STOPPED), weight=1),
    Action("stop", ("S",), "stop env", "Stop the container", "Environment", _status(EnvStatus.RUNNING), weight=9),
    Action("rebuild", ("U",), "rebuild", "Rebuild the container from its configuration", "Environment", _status(*MADE), (B,)),
    Action("down", ("D",), "remove", "Remove the container", "Environment", _status(*MADE), weight=9),
    Action("down-volumes", (), "", "Remove the container and its volumes", "Environment", _status(*MADE), weight=9),
    Action("configurations", ("C",), "configuration", "Choose another configuration of this folder", "Environment", _several, weight=4),
    Action("progress", ("p",), "progress", "Show the progress of what goes on", "Environment", lambda s: s.operation is not None, weight=8),
    Action("details", ("e",), "environment", "Show all about the environment, with notes and drift", "Environment", lambda s: s.snapshot is not None, weight=8),
    Action("files", ("M",), "files", "Conflicts between this machine's files and the container's", "Environment", lambda s: s.up and s.snapshot is not None and s.snapshot.sync is not None, weight=7),
    Action("run", ("r",), "run", "Run the chosen run configuration", "Runs", _configured, (R,), 1),
    Action("debug", ("d",), "debug", "Run it under the debugger, waiting for a client", "Runs", _configured, (R,), 1),
    Action("debug-free", (), "", "Run it under the debugger without waiting", "Runs", _configured, weight=9),
    Action("script", ("o",), "script…", "Run any script with arguments", "Runs", lambda s: s.up, (R,), 3),
    Action("end", ("x",), "stop run", "Stop the shown run", "Runs", _live, (R, O), 1),
    Action("kill", ("X",), "", "Stop the shown run at once, without grace", "Runs", _live, weight=9),
    Action("rerun", ("R",), "rerun", "Start the shown run again", "Runs", lambda s: s.up and _selected(s), (R, O), 2),
    Action("stack", ("K",), "stack", "Show where every thread of the shown run stands", "Runs", _live, (R, O), 5),
    Action("profile", ("P",), "profile", "Record the shown run for 10 s: where time goes", "Runs", _live, (R, O), 5),
    Action("debug-sessions", ("L",), "sessions", "Choose the debug session behind the port", "Runs", lambda s: s.up, (R, O), 8),
    Action("attach-debugger", ("B",), "attach", "Attach the debugger to the shown run", "Runs", _live, (R, O), 5),
    Action("type", ("i",), "type", "Type into the shown run (Ctrl-] leaves)", "Output", _live, (O,), 1),
    Action("follow", ("G", "f"), "end", "Go to the end of the output and follow it", "Output", _selected, (O,), 3),
    Action("begin", ("g",), "begin", "Go to the beginning of the output", "Output", _selected, (O,), 3),
    Action("wrap", ("z",), "wrap", "Wrap or clip long lines", "Output", lambda s: _selected(s) or s.focus is Pane.BUILD, (O, B), 4),
    Action("copy-output", ("y",), "copy", "Copy the visible output", "Output", _selected, (O,), 4),
    Action("test", ("t",), "run tests", "Run all tests", "Tests", lambda s: s.up and not _testing(s), (T, R), 2),
    Action("test-failed", ("F",), "failed", "Run the failed tests again", "Tests", lambda s: s.up and not _testing(s) and bool(failed_ids(s)), (T,), 1),
    Action("test-one", ("T",), "this one", "Run the chosen test or file", "Tests", lambda s: s.up and not _testing(s) and bool(s.test), (T,), 2),
    Action("watch", ("w",), "watch", "Run affected tests at each save, on or off", "Tests", lambda s: s.up, (T,), 2),
    Action("test-output", ("v",), "output", "Show the output of the test run", "Tests", lambda s: s.snapshot is not None and s.snapshot.tests.run is not None, (T,), 4),
    Action("open", ("b",), "browser", "Open the chosen service or port in the browser", "Services & ports", _address, (P,), 1),
    Action("copy", ("c",), "copy", "Copy the address of the chosen service or port", "Services & ports", _address, (P,), 1),
    Action("service", ("a",), "start/stop", "Start or stop the chosen service", "Services & ports", _service, (P,), 2),
    Action("service-restart", ("A",), "restart", "Restart the chosen service", "Services & ports", _service, (P,), 4),
    Action("pane-runs", ("1",), "", "Go to runs", "Screen", weight=9),
    Action("pane-output", ("2",), "", "Go to the output", "Screen", weight=9),
    Action("pane-tests", ("3",), "", "Go to the tests", "Screen", weight=9),
    Action("pane-ports", ("4",), "", "Go to services and ports", "Screen", weight=9),
    Action("pane-build", ("5",), "", "Go to the build log", "Screen", weight=9),
    Action("theme", ("ctrl+t",), "", "Next colour theme", "Screen", weight=9),
    Action("reconnect", ("ctrl+r",), "reconnect", "Connect to the supervisor again", "Screen", lambda s: s.link.value == "lost", weight=0),
    Action("palette", ("ctrl+p",), "commands", "Find a command by name", "Screen", weight=7),
    Action("help", ("question_mark",), "help", "Show all keys", "Screen", weight=6),
    Action("quit", ("q",), "quit", "Leave; runs and forwards go on", "Screen", weight=6),
)  # fmt: skip

# Keys that belong to a widget, not to an action; the help screen and the documentation list them too.
MOVES: tuple[tuple[str, str], ...] = (
    ("↑ ↓ j k", "Move in a list, scroll the output"),
    ("PgUp PgDn", "Move by a page"),
    ("Tab Shift-Tab", "Next and previous pane"),
    ("⏎", "Run, show, fold or open what is chosen"),
    ("← →", "Scroll clipped output sideways"),
    ("Esc", "Close a dialog"),
)

BY_ID = {action.id: action for action in ACTIONS}
GROUPS = tuple(dict.fromkeys(action.group for action in ACTIONS))


def offered(state: State) -> list[Action]:
    """What the footer shows now, the most useful first."""
    if state.input_mode:
        return []
    fitting = [
        action
        for action in ACTIONS
        if action.weight < 9
        and action.keys
        and (not action.panes or state.focus in action.panes)
        and action.when(state)
    ]
    return sorted(fitting, key=lambda action: action.weight)


def markdown() -> str:
    """The key table of the documentation."""
    lines: list[str] = []
    for group in GROUPS:
        lines += [f"### {group}", "", "| Key | Does |", "| --- | --- |"]
        for action in ACTIONS:
            if action.group == group:
                keys = " ".join(f"`{key_name(key)}`" for key in action.keys) or "(command palette)"
                lines.append(f"| {keys} | {action.text} |")
        lines.append("")
    lines += ["### Moving", "", "| Key | Does |", "| --- | --- |"]
    lines += [f"| {keys} | {text} |" for keys, text in MOVES]
    return "\n".join(lines) + "\n"
