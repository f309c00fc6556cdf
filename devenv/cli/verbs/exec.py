"""`devenv exec`: one command inside, as close to a local one as it gets. It ends with its client."""

import os

from devenv.cli import ends
from devenv.cli.options import BadUsage, Option, Verb
from devenv.cli.verbs import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    argv = values["command"]
    if not argv:
        raise BadUsage("exec: COMMAND is missing", "for example: devenv exec -- python -V")
    tty = os.isatty(0) and os.isatty(1) and not values.get("json")
    args = request(values, argv=argv, tty=tty, env=values.get("env"), user=values.get("user"))
    return ends.streamed("exec", args, tty=tty, detachable=False, as_json=bool(values.get("json")))


VERB = Verb(
    "exec",
    "Runs a command in the container; its exit code is ours. Pipes stay binary, a terminal stays a terminal.",
    run,
    (
        Option("-e --env", "set a variable for this command", "pairs", "NAME=VALUE"),
        Option("-u --user", "another user of the container", "text", "USER"),
    ),
    ("command...",),
    "devenv exec -- python -V\ntar c . | devenv exec -- tar x -C /tmp",
)
