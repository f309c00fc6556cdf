"""`devenv rebuild`: the container made anew."""

from devenv.cli.options import Option, Verb
from devenv.cli.verbs.up import OPTIONS, bring_up

VERB = Verb(
    "rebuild",
    "Removes the container, builds the image again and brings it up. Volumes stay; live runs are named first.",
    lambda values: bring_up(values, "rebuild", force=values.get("force"), no_cache=values.get("no_cache")),
    (
        Option("--no-cache", "build every step again"),
        Option("-f --force", "end live runs, and give up what the writable layer holds"),
        *OPTIONS,
    ),
)
