"""`devenv debugpy fetch`: fill the debugger cache, for hosts that will have no network."""

import sys

from devenv.cli.options import BadUsage, Verb
from devenv.cli.verbs import emit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    if values["action"] != "fetch":
        raise BadUsage(f"debugpy: {values['action']!r} is no action", "devenv debugpy fetch [3.8 ...]")
    from devenv.debug.delivery import fetch

    done = fetch(values["versions"], lambda text: sys.stderr.write(text + "\n"))
    return emit(values, {"fetched": done}, "\n".join(done))


VERB = Verb(
    "debugpy",
    "Fetches the debugger for the given Python versions (default: all) into the host's cache.",
    run,
    (),
    ("action", "versions..."),
    "devenv debugpy fetch 3.8 3.7",
)
