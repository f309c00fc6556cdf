"""`devenv build`: an image that carries its dev container configuration."""

from devenv.cli.narrate import Narrator
from devenv.cli.options import HOST, Option, Verb
from devenv.cli.verbs import emit, request
from devenv.cli.verbs.up import trusting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OPTIONS = (
    Option("-t --image", "what the image is called (repeatable)", "list", "NAME", key="images"),
    Option("--push", "send it to the registry that its name says"),
    Option("--platform", "for other machines, too: linux/amd64,linux/arm64", "list", "PLATFORM", key="platforms"),
    Option("--output", "write it elsewhere, as `docker buildx build --output` does", "text", "PLACE"),
    Option("--cache-from", "a build cache to read (repeatable)", "list", "CACHE"),
    Option("--cache-to", "a build cache to write (repeatable)", "list", "CACHE"),
    Option("--no-cache", "build every step again"),
    Option("--pull", "ask the registry for newer base images"),
    Option("--frozen", "fail unless the lockfile of features is there and holds"),
    HOST,
    Option("--trust", "allow what this repository does on the machine itself, once and for all"),
    Option("-v --verbose", "show every line of the build"),
)


def run(values: "dict[str, Any]") -> int:
    narrator = Narrator(as_json=bool(values.get("json")), verbose=bool(values.get("verbose")))
    passed = {option.key: values.get(option.key) for option in _OPTIONS if option.key not in ("verbose", HOST.key)}
    try:
        result = trusting("build", request(values, **passed), narrator)
    finally:
        narrator.close()
    names = "\n".join(result["images"])
    return emit(values, result, f"{'pushed' if result['pushed'] else 'built'} {names}")


VERB = Verb(
    "build",
    "Builds the project's image with its features and its configuration in it: `image` of another devcontainer.json, "
    "or pushed for a team. No container is made.",
    run,
    _OPTIONS,
    (),
    "devenv build --image ghcr.io/team/project:dev --push",
)
