"""`devenv shell`: the remote user's own shell in a real terminal."""

import os

from devenv.cli import ends
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    tty = os.isatty(0) and os.isatty(1)
    args = request(values, argv=values["args"], tty=tty, user=values.get("user"))
    return ends.streamed("shell", args, tty=tty, detachable=False)


VERB = Verb(
    "shell",
    "Opens the user's shell in the container; arguments go to the shell.",
    run,
    (Option("-u --user", "another user of the container", "text", "USER"),),
    ("args...",),
)
