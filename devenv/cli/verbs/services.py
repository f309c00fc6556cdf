"""`devenv services`: Jupyter, TensorBoard and the project's own."""

from devenv.cli import wire
from devenv.cli.options import BadUsage, Verb
from devenv.cli.tables import table
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    action = values.get("action") or "list"
    if action not in ("list", "start", "stop", "restart"):
        raise BadUsage(f"services: {action!r} is no action", "one of list, start, stop, restart")
    if action != "list" and not values.get("name"):
        raise BadUsage(f"services {action}: NAME is missing", "`devenv services` lists the names")
    result = wire.call("services", request(values, action=action, name=values.get("name")))
    rows = [
        (view["name"], view["kind"], view["state"], view["url"] or view["reason"], "" if view["declared"] else "found")
        for view in result["services"]
    ]
    text = table(("SERVICE", "KIND", "STATE", "ADDRESS", ""), rows) or "no services declared or found"
    return emit(values, result, text)


VERB = Verb(
    "services",
    "Lists services, or starts and stops one. `devenv open NAME` opens its page with its token.",
    run,
    (),
    ("action?", "name?"),
    "devenv services start jupyter",
)
