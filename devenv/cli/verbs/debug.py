"""`devenv debug`: a script under debugpy, reached on the environment's one debug port."""

import os

from devenv.cli import ends
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import request
from devenv.cli.verbs.run import OPTIONS, target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(values: "dict[str, Any]") -> int:
    name, args = target(values, "debug")
    as_json = bool(values.get("json"))
    tty = os.isatty(0) and os.isatty(1) and not as_json
    payload = request(
        values,
        target=name,
        args=args,
        tty=tty,
        detach=bool(values.get("detach")),
        name=values.get("name"),
        env=values.get("env"),
        wait=values.get("wait"),
        subprocess=values.get("subprocess"),
        just_my_code=values.get("just_my_code"),
        launch_json=values.get("launch_json", True),
        allow_host_network=values.get("allow_host_network"),
    )
    return ends.streamed("debug", payload, tty=tty, detachable=True, as_json=as_json)


VERB = Verb(
    "debug",
    "Runs a script under debugpy. It waits for a debugger unless told otherwise; VS Code finds it by F5.",
    run,
    (
        *OPTIONS,
        Option("--wait", "wait for a debugger before the first line (default)"),
        Option("--no-wait", "start at once; a debugger may join at any time", "no-flag", key="wait"),
        Option("--no-subprocess", "do not debug child processes", "no-flag", key="subprocess"),
        Option("--all-code", "step into library code too", "no-flag", key="just_my_code"),
        Option("--no-launch-json", "leave .vscode/launch.json alone", "no-flag", key="launch_json"),
        Option("--allow-host-network", "debug although host networking shows the port to every user of this host"),
    ),
    ("args...",),
    "devenv debug train.py --epochs 3\ndevenv debug --no-wait -d train",
)
