"""`devenv compose`: Docker Compose by hand, with the environment's own files and project."""

from devenv.cli import ends
from devenv.cli.options import BadUsage, Verb
from devenv.cli.verbs import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    args = values["args"]
    if not args:
        raise BadUsage("compose: ARGS are missing", "for example: devenv compose ps")
    return ends.streamed("compose", request(values, args=args), tty=False, detachable=False)


VERB = Verb(
    "compose",
    "Runs `docker compose` on this project with devenv's own file among its files, so that nothing is made anew.",
    run,
    (),
    ("args...",),
    "devenv compose ps\ndevenv compose logs -f db\ndevenv compose up -d",
    foreign=True,
)
