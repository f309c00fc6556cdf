"""`devenv start`: continue a stopped environment."""

from devenv.cli.options import Verb
from devenv.cli.verbs.up import OPTIONS, bring_up

VERB = Verb(
    "start", "Starts the stopped container and its services.", lambda values: bring_up(values, "start"), OPTIONS
)
