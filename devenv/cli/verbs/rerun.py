"""`devenv rerun`: the same run again."""

import os

from devenv.cli import ends
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    as_json = bool(values.get("json"))
    tty = os.isatty(0) and os.isatty(1) and not as_json
    args = request(values, run=values.get("run") or "last", tty=tty, detach=bool(values.get("detach")))
    return ends.streamed("rerun", args, tty=tty, detachable=True, as_json=as_json)


VERB = Verb(
    "rerun",
    "Starts a run again (default: the newest), with the same arguments, folder and settings.",
    run,
    (Option("-d --detach", "start it and return at once"),),
    ("run?",),
)
