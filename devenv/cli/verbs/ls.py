"""`devenv ls`: all environments of this user."""

from devenv.cli import wire
from devenv.cli.options import HOST, Verb
from devenv.cli.tables import table
from devenv.cli.verbs import emit, request
from devenv.cli.verbs.host import milliseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HEADER = ("NAME", "STATE", "IMAGE", "FOLDER", "OWNER", "HOST")


def run(values: "dict[str, Any]") -> int:
    result = wire.call("ls", request(values))
    rows = [
        (
            view["name"],
            view["status"],
            view["image"],
            view["local_folder"],
            view["owner"] or "you",
            f"{view['host']} {milliseconds(view['round_trip'])}".rstrip(),
        )
        for view in result["environments"]
    ]
    shown = len(_HEADER) if any(row[-1] for row in rows) else len(_HEADER) - 1
    text = table(_HEADER[:shown], [row[:shown] for row in rows]) or "no environments; `devenv up` makes one"
    for problem in result["problems"]:
        text = f"{text.rstrip()}\n{problem['host']}: {problem['message']}"
    return emit(values, result, text)


VERB = Verb(
    "ls",
    "Lists all environments of this user, on every host, and others' on the same engines by name.",
    run,
    (HOST,),
)
