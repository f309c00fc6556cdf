"""`devenv debug`: a script under debugpy, reached on the environment's one debug port."""

import os

from devenv.cli import ends
from devenv.cli.options import Option, Verb
from devenv.cli.verbs import request
from devenv.cli.verbs.run import OPTIONS, target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_EAGER = {"TORCHDYNAMO_DISABLE": "1", "NUMBA_DISABLE_JIT": "1", "JAX_DISABLE_JIT": "1"}


def run(values: "dict[str, Any]") -> int:
    if values.get("list") or values.get("select"):
        from devenv.cli.debug_sessions import sessions

        return sessions(values)
    if values.get("attach"):
        from devenv.cli.attaching import attach

        return attach(values, VERB)
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
        env={**_EAGER, **(values.get("env") or {})} if values.get("eager") else values.get("env"),
        ranks=values.get("rank") or "",
        post_mortem=bool(values.get("post_mortem")),
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
        Option("--rank", "debug these ranks of a launcher, each with a port of its own (all, 0,3, none)", "text", "N"),
        Option("--post-mortem", "no debugger until an exception is not caught; then its frames wait for one"),
        Option("--no-subprocess", "do not debug child processes", "no-flag", key="subprocess"),
        Option("--all-code", "step into library code too", "no-flag", key="just_my_code"),
        Option("--eager", "without torch.compile, numba and jax.jit: breakpoints in such functions are hit"),
        Option("--no-launch-json", "leave .vscode/launch.json alone", "no-flag", key="launch_json"),
        Option("--list", "show what is debugged now, and the port of each"),
        Option("--select", "let the environment's debug port lead to this session", "text", "NAME"),
        Option(
            "--attach",
            "into a program that runs: a run, a process by its number, a kernel by its notebook",
        ),
        Option("--privileged", "with --attach: as root with every capability, where the container lacks the right"),
        Option("--allow-host-network", "debug although host networking shows the port to every user of this host"),
    ),
    ("args...",),
    "devenv debug train.py --epochs 3\ndevenv debug --no-wait -d train\n"
    "devenv debug --attach train.py\ndevenv debug --list",
)
