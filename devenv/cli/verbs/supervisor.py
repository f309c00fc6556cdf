"""`devenv supervisor`: the background process behind all this."""

from devenv.cli import wire
from devenv.cli.options import BadUsage, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    action = values.get("action") or "status"
    if action not in ("status", "stop", "restart"):
        raise BadUsage(f"supervisor: {action!r} is no action", "one of status, stop, restart")
    result = wire.call("supervisor", request(values, action=action))
    if action == "restart":
        result = wire.call("supervisor", request(values, action="status"))
    return emit(values, result, result.get("text", ""))


VERB = Verb(
    "supervisor",
    "Shows or stops the per-user background process. Runs go on without it; forwards come back with it.",
    run,
    (),
    ("action?",),
)
