"""`devenv vendor`: features that need no network."""

from devenv.cli import wire
from devenv.cli.narrate import Narrator
from devenv.cli.options import Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    narrator = Narrator(as_json=bool(values.get("json")))
    try:
        result = wire.call("vendor", request(values), narrator)
    finally:
        narrator.close()
    return emit(values, result, _text(result))


def _text(result: "dict[str, Any]") -> str:
    if not result["features"]:
        return "the configuration has no features"
    if not result["written"]:
        return "everything is there already"
    return "".join(f"wrote {path}\n" for path in result["written"])


VERB = Verb(
    "vendor",
    "Keeps the features of this project in .devcontainer/vendor, to be committed: a container can then be made without "
    "their registries, and always from the same content.",
    run,
)
