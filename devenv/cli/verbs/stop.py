"""`devenv stop`: end the runs, then the container."""

from devenv.cli import render, wire
from devenv.cli.narrate import Narrator
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def take_down(values: "dict[str, Any]", verb: str, **extra: "Any") -> int:
    narrator = Narrator(as_json=bool(values.get("json")))
    try:
        result = wire.call(verb, request(values, force=values.get("force"), **extra), narrator)
    finally:
        narrator.close()
    return emit(values, result, render.taken_down(result))


VERB = Verb(
    "stop",
    "Stops the container. Live runs are listed first and ended only with --force.",
    lambda values: take_down(values, "stop"),
    (Option("-f --force", "end live runs (INT, TERM, KILL, in that order)"),),
)
