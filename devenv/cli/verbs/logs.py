"""`devenv logs`: the output of a run, the build log, or the container's own."""

import os
import sys

from devenv.cli import ends, wire
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    if values.get("build") or (not values.get("run") and values.get("container")):
        verb = "build-log" if values.get("build") else "container-log"
        result = wire.call(verb, request(values, tail=values.get("tail")))
        if values.get("json"):
            return emit(values, result, "")
        sys.stdout.flush()
        os.write(1, result["text"].encode("utf-8", "surrogateescape"))
        return 0
    args = request(
        values,
        run=values.get("run") or "last",
        follow=bool(values.get("follow")),
        input=False,
        tail=values.get("tail"),
    )
    return ends.streamed(
        "logs", args, tty=False, detachable=False, as_json=bool(values.get("json")), forward_stdin=False
    )


VERB = Verb(
    "logs",
    "Prints the output of a run (default: the newest), stdout and stderr apart.",
    run,
    (
        Option("-f --follow", "go on until the run ends; then its exit code is ours"),
        Option("--tail", "only the last BYTES", "int", "BYTES"),
        Option("--build", "the log of the last image build and of the lifecycle commands"),
        Option("--container", "the log of the container's first process"),
    ),
    ("run?",),
)
