"""`devenv configs`: the devcontainer.json files of a project, and what there is of each."""

from devenv.cli import wire
from devenv.cli.options import Verb
from devenv.cli.tables import table
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    result = wire.call("configs", request({**values, "config": None}))
    return emit(values, result, listing(result["configs"]))


def listing(found: "list[dict[str, Any]]") -> str:
    rows = [
        (
            view["config"],
            view["name"],
            view["kind"] or "-",
            view["made_from"] or "-",
            "cannot be used" if view["problem"] else "no container" if view["status"] == "absent" else view["status"],
            "default" if view["default"] else "chosen last time" if view["remembered"] else "",
        )
        for view in found
    ]
    text = table(("CONFIG", "NAME", "KIND", "MADE FROM", "STATE", ""), rows)
    text += "".join(f"  {view['problem']}\n" for view in found if view["problem"])
    return text or "no devcontainer.json; `devenv init` writes one"


VERB = Verb(
    "configs",
    "Lists the configurations of this project. `--config NAME` of any verb chooses one.",
    run,
    (),
    (),
    "devenv configs\ndevenv up --config gpu",
)
