"""`devenv ide`: the editors that know this project's debugger; `show` prints a configuration, `write` writes it."""

from devenv.cli import wire
from devenv.cli.options import BadUsage, Option, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REFUSED = 77  # devenv.errors.ExitCode


def run(values: "dict[str, Any]") -> int:
    action = values.get("action", "list")
    editors = values.get("editor", [])
    if action not in ("list", "show", "write"):
        action, editors = "show", [action, *editors]
    if action == "list" and editors:
        raise BadUsage(f"ide list: {editors[0]!r} is one word too many", "for example: devenv ide show neovim")
    if action == "write" and not editors:
        raise BadUsage("ide write: EDITOR is missing", "for example: devenv ide write vscode; `devenv ide` lists them")
    result = wire.call(
        "ide",
        request(
            values,
            action=action,
            editors=editors,
            tracked=values.get("tracked"),
            dry_run=values.get("dry_run"),
        ),
    )
    emit(values, result, result.get("text", ""))
    return 0 if result.get("done", True) else REFUSED


VERB = Verb(
    "ide",
    "Lists the editors that know this project's debugger; show prints a configuration, write puts it into the project.",
    run,
    (
        Option("--tracked", "write: also change files that Git tracks"),
        Option("--dry-run", "write: show what would change"),
    ),
    ("action?", "editor*"),
    "devenv ide\ndevenv ide show neovim\ndevenv ide write vscode emacs",
)
