"""`devenv down`: remove the container."""

from devenv.cli.options import HOST, Option, Verb
from devenv.cli.verbs.stop import take_down

VERB = Verb(
    "down",
    "Removes the container. With --volumes also what its runs wrote, its own volumes and the images built for it.",
    lambda values: take_down(values, "down", volumes=values.get("volumes")),
    (
        HOST,
        Option("--volumes", "remove the environment's own volumes and images too: run outputs and caches are gone"),
        Option("-f --force", "end live runs, and give up what the writable layer holds"),
    ),
)
