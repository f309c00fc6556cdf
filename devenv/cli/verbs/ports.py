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
        row = (str(view["port"]), address, view["label"], view["source"], view["tier"], _behind(view), view["note"])
        rows.append(row)
    text = table(("PORT", "HERE", "LABEL", "SOURCE", "TIER", "BEHIND IT", ""), rows) or "no ports"
    for way in result.get("reverse", ()):
        text += f"\n{way['port']} in the container -> 127.0.0.1:{way['host_port']}"
    return emit(values, result, text)


def _behind(view: "dict[str, Any]") -> str:
    if view["container_host"] != "127.0.0.1":  # of another service: whether it listens is not seen from here
        return f"{view['container_host']}:{view['port']}"
    found = str(view["process"]) if view["listening"] else "nothing listens yet"
    return found if len(found) <= 60 else found[:59] + "…"


VERB = Verb("ports", "Lists every forwarded port: where it is here, and what listens behind it.", run)
