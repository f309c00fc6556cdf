"""`devenv debugpy fetch`: fill the debugger cache, for hosts that will have no network."""

from devenv.cli.options import BadUsage, Verb
from devenv.cli.verbs import emit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    if values["action"] != "fetch":
        raise BadUsage(f"debugpy: {values['action']!r} is no action", "devenv debugpy fetch [3.8 ...]")
    from pathlib import Path

    from devenv.api.paths import state_folder
    from devenv.debug.cache import DebugpyCache
    from devenv.debug.versions import Interpreter

    wanted = []
    for word in values["versions"]:
        major, dot, minor = word.partition(".")
        if not (dot and major.isdigit() and minor.isdigit()):
            raise BadUsage(f"debugpy fetch: {word!r} is no Python version", "for example 3.8")
        wanted.append(Interpreter("", (int(major), int(minor), 0), "any", None))
    done = DebugpyCache(Path(state_folder(), "cache", "debugpy")).fetch(wanted)
    return emit(values, {"fetched": done}, "\n".join(done))


VERB = Verb(
    "debugpy",
    "Fetches the debugger for the given Python versions (default: all) into the host's cache.",
    run,
    (),
    ("action", "versions..."),
    "devenv debugpy fetch 3.8 3.7",
)
