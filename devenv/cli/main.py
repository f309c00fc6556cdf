"""The `devenv` command. It finds the verb, loads that verb's file and nothing else."""

import os
import sys

from devenv.cli.options import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

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
    "services": "services",
    "ports": "ports",
    "forward": "forward",
    "open": "open",
    "status": "status",
    "ls": "ls",
    "stop": "stop",
    "start": "start",
    "rebuild": "rebuild",
    "down": "down",
    "init": "init",
    "ide": "ide",
    "debugpy": "debugpy",
    "schema": "schema",
    "supervisor": "supervisor",
    "tui": "tui",
    "help": "help",
    "version": "version",
}
ALIASES = {"ps": "runs", "list": "ls", "attach-output": "attach", "--version": "version", "-V": "version"}


def main() -> "NoReturn":
    """The console script. Leaves without the interpreter's own tidying: it has nothing to tidy."""
    try:
        code = dispatch(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = 141
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (BrokenPipeError, ValueError, OSError):
        pass
    os._exit(code)


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
            return report(error.error, as_json)
        if isinstance(error, DevenvError):
            return report(error.to_wire(), as_json)
        raise


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
