"""`devenv ports`: every forward, and what listens behind it."""

from devenv.cli import wire
from devenv.cli.options import Verb
from devenv.cli.tables import table
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    result = wire.call("ports", request(values))
    rows = []
    for view in result["ports"]:
        address = view["url"] or (f"{view['host']}:{view['host_port']}" if view["host_port"] else "not forwarded")
        behind = view["process"] if view["listening"] else "nothing listens yet"
        if len(behind) > 60:
            behind = behind[:59] + "…"
        rows.append((str(view["port"]), address, view["label"], view["source"], view["tier"], behind, view["note"]))
    text = table(("PORT", "HERE", "LABEL", "SOURCE", "TIER", "BEHIND IT", ""), rows) or "no ports"
    return emit(values, result, text)


VERB = Verb("ports", "Lists every forwarded port: where it is here, and what listens behind it.", run)
