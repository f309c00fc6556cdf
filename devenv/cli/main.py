"""The `devenv` command. It finds the verb, loads that verb's file and nothing else."""

import os
import sys

from devenv.cli.options import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from devenv.cli.options import Verb

# verb -> file in devenv.cli.verbs. Summaries stand in the files; `devenv help` reads them.
VERBS = {
    "up": "up",
    "exec": "exec",
    "shell": "shell",
    "run": "run",
    "debug": "debug",
    "test": "test",
    "runs": "runs",
    "logs": "logs",
    "attach": "attach",
    "kill": "kill",
    "rerun": "rerun",
    "stack": "stack",
    "profile": "profile",
    "services": "services",
    "sync": "sync",
    "ports": "ports",
    "forward": "forward",
    "open": "open",
    "status": "status",
    "configs": "configs",
    "compose": "compose",
    "ls": "ls",
    "host": "host",
    "stop": "stop",
    "start": "start",
    "rebuild": "rebuild",
    "down": "down",
    "build": "build",
    "vendor": "vendor",
    "init": "init",
    "ide": "ide",
    "debugpy": "debugpy",
    "schema": "schema",
    "supervisor": "supervisor",
    "tui": "tui",
    "devcontainer": "devcontainer",
    "help": "help",
    "version": "version",
}
ALIASES = {"ps": "runs", "list": "ls", "attach-output": "attach", "--version": "version", "-V": "version"}

RESUMED = {
    "up": "`devenv up` goes on from here",
    "start": "`devenv start` goes on from here",
    "rebuild": "`devenv rebuild` begins again; `devenv up` uses what is there",
    "build": "`devenv build` begins again, with what the builder has kept",
}
"""What to do after Ctrl-C, of verbs that may take long."""


def main() -> "NoReturn":
    """The console script. Leaves without the interpreter's own tidying: it has nothing to tidy."""
    try:
        code = dispatch(sys.argv[1:])
    except KeyboardInterrupt:
        code = interrupted(sys.argv[1:])
    except BrokenPipeError:
        code = 141
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (BrokenPipeError, ValueError, OSError):
        pass
    os._exit(code)


def interrupted(argv: "list[str]") -> int:
    """After Ctrl-C of long work: the supervisor has ended what nobody else waits for."""
    if argv[:1] and argv[0] in RESUMED and "--json" not in argv:
        sys.stderr.write(f"devenv: interrupted\n  {RESUMED[argv[0]]}\n")
    return 130


def dispatch(argv: "list[str]") -> int:
    """Runs one command line and returns its exit code. Errors become one line of what and one of what to do."""
    if not argv:
        argv = ["tui"] if os.isatty(0) and os.isatty(1) else ["help"]
    name = ALIASES.get(argv[0], argv[0])
    if name in ("-h", "--help"):
        name = "help"
    as_json = "--json" in argv[1:]
    try:
        if name not in VERBS:
            from devenv.cli.options import _nearest

            raise BadUsage(f"unknown verb {argv[0]!r}", _nearest(name, list(VERBS)) or "see `devenv help`")
        verb = __import__(f"devenv.cli.verbs.{VERBS[name]}", fromlist=["VERB"]).VERB
        values = verb.parse(argv[1:])
        as_json = bool(values.get("json"))  # a program's own --json is none of ours
        if values.get("engine_host"):
            os.environ["DEVENV_HOST"] = values["engine_host"]  # as if it had been there
        if values.get("help"):
            sys.stdout.write(verb.help())
            return 0
        return int(verb.run(values))
    except BadUsage as error:
        return report(_usage(error), as_json)
    except Exception as error:
        from devenv.cli.wire import WireError
        from devenv.errors import DevenvError

        if isinstance(error, WireError):
            if error.error.get("details", {}).get("offer") == "configs" and not values.get("config"):
                return _with_choice(verb, values, error.error, as_json)
            return report(error.error, as_json)
        if isinstance(error, DevenvError):
            return report(error.to_wire(), as_json)
        raise


def _with_choice(verb: "Verb", values: "dict[str, Any]", error: "dict[str, Any]", as_json: bool) -> int:
    """Again, with the configuration that a person chose."""
    from devenv.cli.which import chosen
    from devenv.cli.wire import WireError

    try:
        file = chosen(error, values, tell=verb.name != "exec", ask=verb.name == "up")
        return int(verb.run({**values, "config": file})) if file else report(error, as_json)
    except WireError as failed:
        return report(failed.error, as_json)


def _usage(error: BadUsage) -> "dict[str, Any]":
    return {"kind": "UsageError", "message": error.message, "hint": error.hint, "code": 64, "details": {}}


def report(error: "dict[str, Any]", as_json: bool) -> int:
    """Prints an error and returns its exit code."""
    if as_json:
        import json

        sys.stdout.write(json.dumps({"error": error}) + "\n")
    else:
        sys.stdout.flush()
        for index, line in enumerate(str(error.get("message", "")).splitlines() or [""]):
            sys.stderr.write(f"devenv: error: {line}\n" if index == 0 else f"  {line}\n")
        for line in error.get("details", {}).get("lines", []):
            sys.stderr.write(f"  | {line}\n")
        if error.get("hint"):
            sys.stderr.write(f"  {error['hint']}\n")
    return int(error.get("code", 1))
