"""`devenv schema`: the JSON Schema of devenv.yaml, for editors."""

import sys

from devenv.cli.options import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    from importlib.resources import files

    sys.stdout.write((files("devenv.config") / "devenv.schema.json").read_text(encoding="utf-8"))
    return 0


VERB = Verb("schema", "Prints the JSON Schema of devenv.yaml.", run)
