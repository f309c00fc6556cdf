"""Which configuration is meant, where a project folder has several and no default one. Loaded only then.

A person gets the one of last time, or is asked. A script gets the error that names the choices: the same command must
mean the same thing on every machine.
"""

import os
import sys

from devenv.cli import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def somebody(values: "dict[str, Any]") -> bool:
    """Whether a person is there: one of the standard streams is a terminal."""
    return not values.get("json") and any(os.isatty(fd) for fd in (0, 1, 2))


def chosen(error: "dict[str, Any]", values: "dict[str, Any]", *, tell: bool, ask: bool) -> str:
    """The path of the configuration to go on with; "" when the error stands. `ask`: the verb is worth a question."""
    if error.get("details", {}).get("offer") != "configs" or not somebody(values):
        return ""
    remembered = str(error["details"].get("remembered") or "")
    if remembered:
        if tell and os.isatty(2):
            sys.stderr.write(f"using {os.path.relpath(remembered)} (chosen last time; see `devenv configs`)\n")
            sys.stderr.flush()
        return remembered
    return _asked(values) if ask and os.isatty(0) and os.isatty(2) else ""


def _asked(values: "dict[str, Any]") -> str:
    from devenv.cli.verbs import request

    found = wire.call("configs", request(values))["configs"]
    sys.stderr.write("This project has several configurations:\n\n")
    for line in numbered(found):
        sys.stderr.write(f"  {line}\n")
    sys.stderr.write("\n")
    while True:
        sys.stderr.write(f"Which one? [1-{len(found)}, nothing: none] ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip()
        if not answer:
            return ""
        if view := picked(answer, found):
            return str(view["file"])


def numbered(found: "list[dict[str, Any]]") -> "list[str]":
    """The choices as lines: number, what `--config` takes, what it is made from, what there is of it."""
    from devenv.cli.tables import table

    rows = [
        (
            f"{index}.",
            view["config"],
            view["name"] if view["name"] != view["config"] else "",
            view["problem"] or view["made_from"],
            "" if view["status"] == "absent" else view["status"],
        )
        for index, view in enumerate(found, 1)
    ]
    return table(("", "", "", "", ""), rows).splitlines()[1:]


def picked(answer: str, found: "list[dict[str, Any]]") -> "dict[str, Any] | None":
    """By number, or by the words that `--config` takes."""
    if answer.isascii() and answer.isdigit():
        return found[int(answer) - 1] if 1 <= int(answer) <= len(found) else None
    return next((view for view in found if answer in (view["config"], view["name"])), None)
