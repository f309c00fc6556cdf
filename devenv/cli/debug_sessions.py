"""`devenv debug --list` and `--select`: what is debugged here, and where each of it is reached."""

from devenv.cli import wire
from devenv.cli.options import BadUsage
from devenv.cli.tables import table
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STATES = {
    "waiting": "waits for a debugger",
    "running": "runs, no debugger",
    "attached": "runs under a debugger",
    "stopped": "stopped in a debugger",
    "left": "stopped, its debugger is gone",
}


def sessions(values: "dict[str, Any]") -> int:
    select = values.get("select") or ""
    if values.get("args"):
        raise BadUsage("debug --list takes no program")
    result = wire.call("debug-sessions", request(values, select=select))
    return emit(values, result, listing(result))


def listing(result: "dict[str, Any]") -> str:
    rows = [
        (
            "*" if view["chosen"] else "",
            view["name"],
            str(view["port"] or "-"),
            _STATES[view["state"]] + (f" ({view['at']})" if view["at"] else ""),
            view["run"],
        )
        for view in result["sessions"]
    ]
    if not rows:
        return "nothing is debugged; `devenv debug SCRIPT` starts it"
    text = table(("", "SESSION", "PORT", "STATE", "RUN"), rows)
    door = result["debug"]
    return text + (f"port {door['port']} leads to the one with the star (--select NAME)" if door else "").rstrip()
