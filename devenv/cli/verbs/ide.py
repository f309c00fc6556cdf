"""`devenv ide show EDITOR`: the configuration that makes an editor attach."""

from devenv.cli import wire
from devenv.cli.options import BadUsage, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    if values["action"] != "show":
        raise BadUsage(f"ide: {values['action']!r} is no action", "for example: devenv ide show neovim")
    result = wire.call("ide", request(values, editor=values.get("editor")))
    return emit(values, result, result.get("text", ""))


VERB = Verb(
    "ide",
    "Prints an editor's debugger configuration for this project.",
    run,
    (),
    ("action", "editor?"),
    "devenv ide show vscode",
)
