"""The debug sessions of a fake client: one of them is chosen, and a debugger comes into a run."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from devenv.api.views import DebugSessionView, RunView
from devenv.errors import DebugError, NotFound


def choose(views: Sequence[DebugSessionView], which: str) -> list[DebugSessionView]:
    """The sessions, `which` (a name or a run) chosen."""
    found = next((view for view in reversed(views) if which in (view.name, view.run)), None)
    if found is None:
        known = ", ".join(view.name for view in views)
        raise NotFound(
            f"no debug session is called {which}",
            f"there is {known}" if known else "none is live: devenv debug SCRIPT starts one",
        )
    return [msgspec.structs.replace(view, chosen=view is found) for view in views]


def attach(views: Sequence[DebugSessionView], run: RunView) -> list[DebugSessionView]:
    """The sessions with one for this run behind them."""
    if run.kind == "debug":
        raise DebugError(f"{run.name} runs under the debugger already", "attach to it: F5, or devenv status")
    first = not any(view.chosen for view in views)
    return [*views, DebugSessionView(name=run.name, run=run.id, pid=981, port=24_200, chosen=first)]


SESSIONS = [
    DebugSessionView(name="evaluate", run="r7", pid=961, port=24_118, state="waiting", chosen=True),
    DebugSessionView(name="sweep", run="r9", pid=1_310, port=24_119, state="attached", silent_children=2),
    DebugSessionView(
        name="sweep 2",
        run="r10",
        pid=1_344,
        port=24_120,
        state="left",
        at="/home/ada/digits-pytorch/digits/data/loading.py:118",
        silent_children=1,
    ),
    DebugSessionView(
        name="notebook",
        run="r11",
        pid=1_402,
        port=24_121,
        state="stopped",
    ),
    DebugSessionView(name="serve", run="r12", pid=1_420, state="running"),
]
