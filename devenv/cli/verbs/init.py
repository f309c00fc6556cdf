"""`devenv init`: write a devcontainer.json from what the repository shows."""

from devenv.cli import wire
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    write = not values.get("print", False)
    result = wire.call("init", request(values, write=write, force=values.get("force")))
    return emit(values, result, result.get("text", ""))


VERB = Verb(
    "init",
    "Writes .devcontainer/ from what the repository shows: Python version, requirements, CUDA need.",
    run,
    (
        Option("--print", "print the files instead of writing them"),
        Option("-f --force", "replace a configuration that is there"),
    ),
)
