"""`devenv` alone, or `devenv tui`: the terminal UI."""

import os

from devenv.cli.options import BadUsage, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    if not (os.isatty(0) and os.isatty(1)):
        raise BadUsage("the terminal UI needs a terminal", "see `devenv help` for the command line")
    from importlib import import_module

    from devenv.api.client import SupervisorClient
    from devenv.supervisor.root import project_root

    # By name: devenv may not depend on a front end. This is the one place that starts one.
    main = import_module("tui.app").main
    folder = os.path.realpath(values["folder"]) if values.get("folder") else project_root(os.getcwd(), set())
    return int(main(SupervisorClient(folder, config=values.get("config"))))


VERB = Verb("tui", "Opens the terminal UI; `devenv` alone does the same.", run)
