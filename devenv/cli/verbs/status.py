"""`devenv status`: one environment on one page."""

from devenv.cli import render, wire
from devenv.cli.options import HOST, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    result = wire.call("status", request(values))
    return emit(values, result, render.environment(result))


VERB = Verb("status", "Shows the environment: state, image, Python, link, runs, services, what differs.", run, (HOST,))
