"""`devenv version`."""

from devenv.cli.options import Verb
from devenv.cli.verbs import emit
from devenv.version import VERSION

VERB = Verb("version", "Prints the version.", lambda values: emit(values, {"version": VERSION}, f"devenv {VERSION}"))
