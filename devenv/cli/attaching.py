"""`devenv debug --attach`: what a person is asked, and what is refused where nobody can be asked."""

import os
import sys

from devenv.cli import wire
from devenv.cli.options import BadUsage, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NOT_WITH_IT = ("detach", "name", "env", "wait")


def attach(values: "dict[str, Any]", verb: Verb) -> int:
    words = list(values.get("args") or ())
    if any(word.startswith("-") for word in words[1:]):
        # Not a program's own: none is started here.
        values = {**values, **verb.parse(words[1:])}
        words = [words[0], *values.get("args", ())]
    if len(words) > 1:
        raise BadUsage("debug --attach: one run or process at a time", "see: devenv runs")
    for key in _NOT_WITH_IT:
        if values.get(key) is not None:
            raise BadUsage(f"debug --attach: --{key} is for programs that are started")
    payload = request(
        values,
        target=_target(words[0]) if words else "",
        subprocess=values.get("subprocess"),
        just_my_code=values.get("just_my_code"),
        launch_json=values.get("launch_json", True),
        allow_host_network=values.get("allow_host_network"),
        privileged=values.get("privileged"),
    )
    try:
        result = wire.call("debug-attach", payload, _note)
    except wire.WireError as error:
        if error.error.get("details", {}).get("ask") != "privileged" or not _agreed(error.error["message"]):
            raise
        result = wire.call("debug-attach", dict(payload, privileged=True), _note)
    return emit(values, result, result["text"])


def _target(word: str) -> str:
    """A notebook that is here goes by its whole path: there may be others of that name."""
    return os.path.realpath(word) if word.endswith(".ipynb") and os.path.isfile(word) else word


def _note(message: "dict[str, Any]") -> None:
    if message["t"] == "note":
        sys.stderr.write(message["text"] + "\n")


def _agreed(why: str) -> bool:
    """Asks, where there is somebody to ask."""
    if not (os.isatty(0) and os.isatty(2)):
        return False
    sys.stderr.write(
        why
        + "\nDo it as root with every capability, by the container's own Python? Only where you trust this container"
        " with root's rights on its host. [y/N] "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
