"""`devenv up`: create or find the container, and return when it is ready."""

import os
import sys

from devenv.cli import render, wire
from devenv.cli.narrate import Narrator
from devenv.cli.options import HOST, Option, Verb
from devenv.cli.verbs import emit, request
from devenv.cli.which import somebody

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPTIONS = (
    HOST,
    Option("--trust", "allow this repository's commands on the host (initializeCommand), once and for all"),
    Option("--tier", "force the link: direct or stream (default: the better one)", "text", "TIER"),
    Option("-v --verbose", "show every line of a build"),
    Option("--gpus", "which GPUs: all, none, a count, 0,2, a UUID, a CDI name", "text", "WHICH"),
    Option("--gpu-via", "force the way GPUs are wired: cdi, gpus, runtime, amd", "text", "WAY"),
    Option("--profile", "a Compose profile to start, too (repeatable)", "list", "NAME", key="profiles"),
    Option("--secrets-file", "JSON of secrets for lifecycle commands, runs and shells", "text", "FILE"),
    Option("--hook-timeout", "the longest a lifecycle command may take: 90s, 30m, 2h; 0: no limit", "text", "TIME"),
    Option("--wait", "return after every lifecycle command, whatever waitFor says"),
    Option("--lockfile", "of features: update (where there is one), write, frozen, ignore", "text", "WHAT"),
    Option(
        "--send",
        "files that go to another machine for the first time: all, rest (nothing secret or big)",
        "text",
        "WHAT",
    ),
    Option("--dotfiles", "a repository of personal settings for the new container", "text", "REPOSITORY"),
)

_PASSED = tuple(option.key for option in OPTIONS if option.key not in ("verbose", HOST.key))


def bring_up(values: "dict[str, Any]", verb: str, **extra: "Any") -> int:
    """Shared by up, start and rebuild: long work with narration, then where things are."""
    narrator = Narrator(as_json=bool(values.get("json")), verbose=bool(values.get("verbose")))
    args = request(values, **{name: values.get(name) for name in _PASSED}, **extra)
    if "config" in args and somebody(values):
        args["remember"] = True
    try:
        result = trusting(verb, args, narrator)
    finally:
        narrator.close()
    return emit(values, result, render.plan(result) if "steps" in result else render.environment(result))


def trusting(verb: str, args: "dict[str, Any]", narrator: Narrator) -> "Any":
    """What the repository wants to run on this machine is shown, and asked for, where there is somebody to ask."""
    agreed: list[str] = []
    while True:
        try:
            return wire.call(verb, {**args, "agreed": agreed} if agreed else args, narrator)
        except wire.WireError as error:
            details = error.error.get("details", {})
            more = details.get("trust")
            narrator.close()
            if details.get("send") and (send := _sent(error.error)):
                args = {**args, "send": send}
                continue
            if not more or not _asked(f"{error.error['message']}\nAllow it, for this repository? [y/N] ", no=True):
                raise
            agreed += more


def _sent(error: "dict[str, Any]") -> str:
    """What of the files goes to the other machine, by a person's word; "" where nobody says."""
    if not (os.isatty(0) and os.isatty(2)):
        return ""
    rest = error["details"]["send"] == "rest"
    choice = "[a]ll, [r]est without secrets and big files, or [N]othing" if rest else "[a]ll, or [N]othing"
    lines = "".join(f"  {line}\n" for line in error["details"]["lines"])
    sys.stderr.write(f"{error['message']}\n{lines}Copy {choice}? ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    return {"a": "all", "all": "all", "r": "rest", "rest": "rest"}.get(answer, "")


def run(values: "dict[str, Any]") -> int:
    extra = {name: values.get(name) for name in ("dry_run", "rebuild", "services", "init")}
    try:
        return bring_up(values, "up", **extra)
    except wire.WireError as error:
        if error.error.get("details", {}).get("offer") != "init" or not _wanted(error.error["message"]):
            raise
    return bring_up(values, "up", **{**extra, "init": True})


def _wanted(message: str) -> bool:
    return _asked(f"{message}\nWrite one from what the project shows, and go on? [Y/n] ")


def _asked(question: str, *, no: bool = False) -> bool:
    """Asks, where there is somebody to ask; `no` is what an empty answer means."""
    if not (os.isatty(0) and os.isatty(2)):
        return False
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in (("y", "yes") if no else ("", "y", "yes"))


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
