"""`devenv attach`: join a run again, with its output, its input and its window size."""

import os

from devenv.cli import ends
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    tty = os.isatty(0) and os.isatty(1) and not values.get("json")
    args = request(
        values,
        run=values.get("run") or "live",
        input=not values.get("no_input", False),
        tail=values.get("tail"),
    )
    return ends.streamed("attach", args, tty=tty, detachable=True, as_json=bool(values.get("json")))


VERB = Verb(
    "attach",
    "Joins a running run (default: the newest). In a terminal Ctrl-] d leaves it running; so does closing the window.",
    run,
    (
        Option("--tail", "replay only the last BYTES of output", "int", "BYTES"),
        Option("--no-input", "watch only"),
    ),
    ("run?",),
)
