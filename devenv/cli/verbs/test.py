"""`devenv test`: pytest inside, structured results back; `--watch` reruns what a change affects."""

import os

from devenv.cli import ends
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    as_json = bool(values.get("json"))
    watch = bool(values.get("watch"))
    tty = os.isatty(0) and os.isatty(1) and not as_json
    payload = request(values, args=values["args"], watch=watch, tty=tty)
    # While it watches, Ctrl-C must mean "stop" also between two runs, so the terminal keeps its own keys.
    raw = tty and not watch
    return ends.streamed(
        "test", payload, tty=raw, detachable=True, as_json=as_json, forward_stdin=not watch, window=tty
    )


VERB = Verb(
    "test",
    "Runs pytest in the container; arguments go to pytest. With --json each result is a line.",
    run,
    (Option("-w --watch", "run again on every save: failed tests first, then changed files, then all"),),
    ("args...",),
    "devenv test -k loader -x\ndevenv test --watch",
    foreign=True,
)
