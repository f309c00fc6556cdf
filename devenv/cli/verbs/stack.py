"""`devenv stack`: where every thread of every process of a run stands."""

from devenv.cli import wire
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    args = request(values, target=values.get("target"), native=values.get("native"), variables=values.get("locals"))
    result = wire.call("stack", args)
    if values.get("json"):
        return emit(values, result, "")
    from devenv.api.stack_text import text

    return emit(values, result, text(result, everything=bool(values.get("all"))))


VERB = Verb(
    "stack",
    "Shows where every thread of every process of a run stands (default: the newest live run). It goes on meanwhile.",
    run,
    (
        Option("-n --native", "the frames of C and C++ code too"),
        Option("-l --locals", "the local variables of the project's frames, too (they may hold secrets)"),
        Option("-a --all", "every frame of libraries and of what starts threads and processes, too"),
    ),
    ("target?",),
    "devenv stack\ndevenv stack train\ndevenv stack 4711   # a process, by the container's number or this machine's",
)
