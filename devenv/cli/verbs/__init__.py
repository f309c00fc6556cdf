"""One file per verb. Each has `VERB`; a new verb is a new file and a line in `devenv.cli.main.VERBS`."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def request(values: "dict[str, Any]", **extra: "Any") -> "dict[str, Any]":
    """The arguments that every request carries, and the verb's own that were given."""
    args = {name: values[name] for name in ("folder", "config") if values.get(name)}
    if "folder" in args:
        import os

        # As the working folder would be: a process knows where it is by the real path only.
        args["folder"] = os.path.realpath(args["folder"])
    args.update({name: value for name, value in extra.items() if value is not None})
    return args


def emit(values: "dict[str, Any]", result: "Any", text: str) -> int:
    """Prints a result: JSON when asked for, else the text for people."""
    import sys

    if values.get("json"):
        import json

        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    elif text:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    return 0
