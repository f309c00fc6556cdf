"""`devenv runs`: what runs and what ran."""

import time

from devenv.cli import wire
from devenv.cli.narrate import duration, size
from devenv.cli.options import Option, Verb
from devenv.cli.tables import table
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    result = wire.call("runs", request(values, all=values.get("all")))
    rows = []
    for view in result["runs"]:
        took = (view["ended"] or time.time()) - view["started"]
        rows.append((view["id"], view["name"], view["kind"], outcome(view), duration(took), size(view["size"])))
    text = table(("RUN", "NAME", "KIND", "STATE", "TIME", "OUTPUT"), rows) or "no runs yet; try: devenv run SCRIPT"
    return emit(values, result, text)


def outcome(view: "dict[str, Any]") -> str:
    state = str(view["state"])
    if state == "exited":
        return f"exited {view['exit_code']}"
    if state == "signaled":
        return f"signal {view['signal']}"
    return state if not view.get("reason") or state == "running" else f"{state}: {view['reason']}"


VERB = Verb(
    "runs",
    "Lists the runs of this environment, newest first.",
    run,
    (Option("-a --all", "all of them, and services too"),),
)
