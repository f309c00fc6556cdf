"""`devenv run`: a script or a run configuration, in the container, surviving its terminal."""

import os

from devenv.cli import ends
from devenv.cli.options import BadUsage, Option, Verb
from devenv.cli.verbs import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPTIONS = (
    Option("-d --detach", "start it and return at once; `devenv attach` joins it"),
    Option("-m --module", "run a module; what follows is its own, as with python -m", "last", "MODULE"),
    Option("-n --name", "a name for this run", "text", "NAME"),
    Option("-e --env", "set a variable for this run", "pairs", "NAME=VALUE"),
)


def target(values: "dict[str, Any]", verb: str) -> "tuple[str, list[str]]":
    rest = list(values["args"])
    if values.get("module"):
        return "-m", [values["module"], *rest]
    if not rest:
        raise BadUsage(f"{verb}: TARGET is missing", f"for example: devenv {verb} train.py --epochs 3")
    return rest[0], rest[1:]


def run(values: "dict[str, Any]") -> int:
    name, args = target(values, "run")
    detach = bool(values.get("detach"))
    as_json = bool(values.get("json"))
    tty = os.isatty(0) and os.isatty(1) and not as_json
    payload = request(
        values, target=name, args=args, tty=tty, detach=detach, name=values.get("name"), env=values.get("env")
    )
    return ends.streamed("run", payload, tty=tty, detachable=True, as_json=as_json)


VERB = Verb(
    "run",
    "Runs a script, or a run configuration of devenv.yaml. Closing the terminal detaches; Ctrl-C interrupts it.",
    run,
    OPTIONS,
    ("args...",),
    "devenv run train.py --epochs 3\ndevenv run train\ndevenv run -d train   # then: devenv attach",
)
