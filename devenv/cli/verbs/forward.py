"""`devenv forward`: one more port, by hand."""

from devenv.cli import wire
from devenv.cli.options import BadUsage, Option, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    left, _, right = str(values["port"]).rpartition(":")
    if not right.isdigit() or (left and not left.isdigit()):
        raise BadUsage(f"forward: {values['port']!r} is not PORT or HOST_PORT:PORT")
    args = request(values, port=int(right), host_port=int(left) if left else None, label=values.get("label"))
    result = wire.call("forward", args)
    return emit(values, result, f"{result['host']}:{result['host_port']} -> {result['port']} in the container")


VERB = Verb(
    "forward",
    "Forwards a port of the container to this host's loopback.",
    run,
    (Option("--label", "a name for it", "text", "NAME"),),
    ("port",),
    "devenv forward 8000\ndevenv forward 18000:8000",
)
