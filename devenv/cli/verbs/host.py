"""`devenv host`: machines with an engine, by names of your own."""

from devenv.cli import wire
from devenv.cli.narrate import Narrator
from devenv.cli.options import HOST, BadUsage, Option, Verb
from devenv.cli.tables import table
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ACTIONS = {"ls": 0, "add": 2, "rm": 1, "use": 1, "check": 1, "send": 2}  # with the number of words that may follow


def run(values: "dict[str, Any]") -> int:
    words = list(values.get("words") or ())
    action = words.pop(0) if words else "ls"
    action = {"list": "ls", "remove": "rm"}.get(action, action)
    if action not in _ACTIONS:
        raise BadUsage(f"host: {action!r} is no action", f"one of {', '.join(_ACTIONS)}")
    if len(words) > _ACTIONS[action]:
        raise BadUsage(f"host {action}: {words[_ACTIONS[action]]!r} is one word too many", "see `devenv host --help`")
    if action == "add" and len(words) == 1:
        words *= 2  # as ~/.ssh/config has it
    if len(words) < _ACTIONS[action] and action != "check":
        missing = (("IMAGE", "HOST") if action == "send" else ("NAME", "ADDRESS"))[len(words)]
        raise BadUsage(f"host {action}: {missing} is missing", "see `devenv host --help`")
    name, address = [*words, "", ""][:2]
    narrator = Narrator(as_json=bool(values.get("json"))) if action == "send" else None
    try:
        args = request(values, action=action, name=name, address=address, tls=values.get("tls"))
        result = wire.call("host", args, narrator)
    finally:
        if narrator is not None:
            narrator.close()
    code = emit(values, result, _text(action, result))
    return code if result.get("ok", True) else 69


def _text(action: str, result: "dict[str, Any]") -> str:
    if action == "add":
        name = result["name"]
        return f"{name} is {result['address']} ({result['file']})\nsee whether it works: devenv host check {name}"
    if action == "rm":
        left = ", ".join(result["environments"])
        kept = f"; environments stay there: {left}" if left else ""
        return f"{result['name']} is removed from the list{kept}"
    if action == "use":
        return f"new environments are made on {result['default']}"
    if action == "send":
        sent, layers = result["layers_sent"], result["layers_sent"] + result["layers_there"]
        how = f"{sent} of {layers} layers sent" if sent else "all of it was there already"
        return f"{result['image']} is on {result['host']}: {how}"
    return _listed(result["hosts"]) if action == "ls" else _checked(result)


def _listed(views: "list[dict[str, Any]]") -> str:
    rows = [
        (
            "*" if view["default"] else "",
            view["name"],
            view["address"],
            view["kind"],
            "yes" if view["reachable"] else "no",
            milliseconds(view["round_trip"]),
            ", ".join(view["environments"]) or "-",
        )
        for view in views
    ]
    lines = [table(("", "NAME", "ADDRESS", "KIND", "REACHABLE", "ROUND TRIP", "ENVIRONMENTS"), rows).rstrip()]
    lines += [f"{view['name']}: {view['problem']}\n  {view['hint']}".rstrip() for view in views if view["problem"]]
    return "\n".join(lines)


def _checked(result: "dict[str, Any]") -> str:
    lines = [f"{result['name']}: {result['address']}"]
    for view in result["checks"]:
        lines.append(f"  {'ok' if view['ok'] else '!!':3} {view['what']:11} {view['said']}")
        if view["hint"]:
            lines.append(f"{'':18}{view['hint']}")
    return "\n".join(lines)


def milliseconds(seconds: "float | None") -> str:
    return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f} ms" if seconds is not None else ""


VERB = Verb(
    "host",
    "Machines with an engine, by names of your own: ls, add NAME [ADDRESS], check [NAME], use NAME, rm NAME; "
    "send IMAGE NAME, without a registry.",
    run,
    (
        HOST,
        Option("--tls", "of a tcp address: folder with ca.pem, cert.pem and key.pem", "text", "DIR"),
    ),
    ("words*",),
    "devenv host add gpu-box me@gpu.example\ndevenv host check gpu-box\ndevenv up --host gpu-box",
)
