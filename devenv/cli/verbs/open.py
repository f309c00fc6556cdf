"""`devenv open`: a service's page in the browser, with its token."""

import sys

from devenv.cli import wire
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    result = wire.call("address", request(values, name=values["name"]))
    if not values.get("print") and not values.get("json"):
        import webbrowser

        if webbrowser.open(result["secret_url"]):
            sys.stderr.write(f"opened {result['url']}\n")
            return 0
    return emit(values, result, result["secret_url"])


VERB = Verb(
    "open",
    "Opens a service or a forwarded port in the browser; without one the address is printed.",
    run,
    (Option("--print", "print the address, with its token, instead"),),
    ("name",),
    "devenv open jupyter\ndevenv open --print tensorboard",
)
