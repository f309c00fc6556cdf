"""`devenv forward`: one more port, by hand, in either direction."""

from devenv.cli import wire
from devenv.cli.options import BadUsage, Option, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    left, _, right = str(values["port"]).rpartition(":")
    if not all(number.isdigit() and 0 < int(number) < 65536 for number in (right, left or right)):
        raise BadUsage(f"forward: {values['port']!r} is not PORT or HOST_PORT:PORT", "ports are 1 to 65535")
    host_port = int(left) if left else None
    args = request(
        values, port=int(right), host_port=host_port, label=values.get("label"), reverse=values.get("reverse")
    )
    result = wire.call("forward", args)
    if result.get("reverse"):
        return emit(values, result, f"{result['port']} in the container -> 127.0.0.1:{result['host_port']}")
    return emit(values, result, f"{result['host']}:{result['host_port']} -> {result['port']} in the container")


VERB = Verb(
    "forward",
    "Forwards a port of the container to this host's loopback.",
    run,
    (
        Option("--label", "a name for it", "text", "NAME"),
        Option("--reverse", "the other way: what connects to PORT in the container reaches HOST_PORT here"),
    ),
    ("port",),
    "devenv forward 8000\ndevenv forward 18000:8000\ndevenv forward --reverse 5678",
)
