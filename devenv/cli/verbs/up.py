"""`devenv up`: create or find the container, and return when it is ready."""

import os
import sys

from devenv.cli import render, wire
from devenv.cli.narrate import Narrator
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPTIONS = (
    Option("--trust", "allow this repository's commands on the host (initializeCommand), once and for all"),
    Option("--tier", "force the link: direct or stream (default: the better one)", "text", "TIER"),
    Option("-v --verbose", "show every line of a build"),
)


def bring_up(values: "dict[str, Any]", verb: str, **extra: "Any") -> int:
    """Shared by up, start and rebuild: long work with narration, then where things are."""
    narrator = Narrator(as_json=bool(values.get("json")), verbose=bool(values.get("verbose")))
    args = request(values, trust=values.get("trust"), tier=values.get("tier"), **extra)
    try:
        result = wire.call(verb, args, narrator)
    finally:
        narrator.close()
    return emit(values, result, render.plan(result) if "steps" in result else render.environment(result))


def run(values: "dict[str, Any]") -> int:
    extra = {name: values.get(name) for name in ("dry_run", "rebuild", "services", "init")}
    try:
        return bring_up(values, "up", **extra)
    except wire.WireError as error:
        if error.error.get("details", {}).get("offer") != "init" or not _wanted(error.error["message"]):
            raise
    return bring_up(values, "up", **{**extra, "init": True})


def _wanted(message: str) -> bool:
    """Asks, where there is somebody to ask."""
    if not (os.isatty(0) and os.isatty(2)):
        return False
    sys.stderr.write(f"{message}\nWrite one from what the project shows, and go on? [Y/n] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


VERB = Verb(
    "up",
    "Brings the container up, from devcontainer.json or from nothing. Safe to repeat.",
    run,
    (
        Option("--dry-run", "show what would be done, and what differs, and do nothing"),
        Option("--rebuild", "make it anew where the configuration differs from the container"),
        Option("--init", "where there is no devcontainer.json, write one and go on"),
        Option("--no-services", "do not start the declared services", "no-flag", key="services"),
        *OPTIONS,
    ),
)
