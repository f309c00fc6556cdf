"""`devenv kill`: end a run and everything that it started."""

from devenv.cli import wire
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import emit, request
from devenv.cli.verbs.runs import outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    args = request(values, run=values.get("run") or "live", signal=values.get("signal"), force=values.get("force"))
    result = wire.call("kill", args)
    view = result["run"]
    return emit(values, result, f"{view['name']} ({view['id']}): {outcome(view)}")


VERB = Verb(
    "kill",
    "Ends a run and all its children: INT, after a grace TERM, after a grace KILL.",
    run,
    (
        Option("-s --signal", "only send this signal number", "int", "NUMBER"),
        Option("-f --force", "KILL at once"),
    ),
    ("run?",),
)
