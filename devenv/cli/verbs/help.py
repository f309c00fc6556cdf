"""`devenv help`: the verbs, grouped as they are used."""

import sys

from devenv.cli.options import BadUsage, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GROUPS = (
    ("environment", ("up", "status", "ls", "host", "configs", "stop", "start", "rebuild", "down", "compose", "init")),
    ("work", ("exec", "shell", "run", "debug", "test", "tui")),
    ("runs", ("runs", "logs", "attach", "kill", "rerun", "stack", "profile")),
    ("files, ports and services", ("sync", "ports", "forward", "services", "open")),
    ("for a team", ("build", "vendor")),
    ("set-up", ("ide", "debugpy", "schema", "supervisor", "devcontainer", "help", "version")),
)


def run(values: "dict[str, Any]") -> int:
    from devenv.cli.main import VERBS

    wanted = values.get("verb")
    if wanted:
        if wanted not in VERBS:
            raise BadUsage(f"help: there is no verb {wanted!r}")
        sys.stdout.write(load(wanted).help())
        return 0
    lines = [
        "usage: devenv [VERB] [options]",
        "",
        "Long-lived dev containers. `devenv` alone opens the terminal UI.",
        "",
    ]
    for title, names in GROUPS:
        lines.append(f"{title}:")
        lines += [f"  {name:11} {load(name).summary}" for name in names]
        lines.append("")
    lines.append("`devenv VERB --help` tells more.")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def load(name: str) -> Verb:
    from devenv.cli.main import VERBS

    verb = __import__(f"devenv.cli.verbs.{VERBS[name]}", fromlist=["VERB"]).VERB
    assert isinstance(verb, Verb)
    return verb


VERB = Verb("help", "Lists the verbs, or explains one.", run, (), ("verb?",))
