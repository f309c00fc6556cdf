"""`devenv ls`: all environments of this user."""

from devenv.cli import wire
from devenv.cli.options import Verb
from devenv.cli.tables import table
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    result = wire.call("ls", request(values))
    rows = [
        (view["name"], view["status"], view["image"], view["local_folder"], view["owner"] or "you")
        for view in result["environments"]
    ]
    text = table(("NAME", "STATE", "IMAGE", "FOLDER", "OWNER"), rows) or "no environments; `devenv up` makes one"
    return emit(values, result, text)


VERB = Verb("ls", "Lists all environments of this user, and others' on the same engine by name.", run)
