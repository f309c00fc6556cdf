"""`devenv sync`: what is kept the same on both sides, and what a person decides about it."""

import time

from devenv.cli import wire
from devenv.cli.narrate import Narrator, size
from devenv.cli.options import BadUsage, Option, Verb
from devenv.cli.tables import table
from devenv.cli.verbs import emit, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ACTIONS = (
    "status",
    "flush",
    "conflicts",
    "resolve",
    "diff",
    "pause",
    "resume",
    "verify",
    "reset",
    "trash",
    "undo",
)
_NAMED = ("resolve", "diff")


def run(values: "dict[str, Any]") -> int:
    action = values.get("action") or "status"
    name = values.get("name") or ""
    if action not in _ACTIONS:
        raise BadUsage(f"sync: {action!r} is no action", f"one of {', '.join(_ACTIONS)}")
    takes = [word for word in ("host", "container", "both") if values.get(word)]
    if action in _NAMED and not name and not values.get("all"):
        raise BadUsage(f"sync {action}: PATH is missing", "`devenv sync conflicts` lists them")
    if action == "resolve" and len(takes) != 1:
        raise BadUsage("sync resolve: say which one is kept", "one of --host, --container, --both")
    narrator = Narrator(as_json=bool(values.get("json")))
    try:
        result = wire.call(
            "sync",
            request(
                values,
                action="status" if action == "conflicts" else action,
                name=name or None,
                take=takes[0] if takes else None,
                allow_deletions=values.get("allow_deletions"),
            ),
            narrator,
        )
    finally:
        narrator.close()
    code = emit(values, result, _text(action, result))
    view = result["sync"]
    return 1 if view is not None and action == "conflicts" and view["conflicts"] else code


def _text(action: str, result: "dict[str, Any]") -> str:
    view = result["sync"]
    if view is None:
        return str(result["text"])
    if action == "conflicts":
        return _conflicts(view) or "no conflicts"
    if action == "trash":
        rows = [
            (one["cycle"], one["side"], str(one["files"]), size(one["bytes"]), " ".join(one["paths"][:3]))
            for one in result["trash"]
        ]
        return table(("CYCLE", "SIDE", "FILES", "SIZE", ""), rows) or "the trash is empty"
    if action == "undo":
        back = result["restored"]
        lines = [f"left {one['path']}: {one['why']}" if one["why"] else f"restored {one['path']}" for one in back]
        return "\n".join(lines) or "nothing was restored"
    return result.get("text") or status(view)


def status(view: "dict[str, Any]") -> str:
    """The whole state on a few lines."""
    last = f", last change {_ago(view['last'])}" if view["last"] else ""
    lines = [
        f"{view['state']}{': ' + view['why'] if view['why'] else ''}",
        f"  {view['host']} <-> {view['container']}",
        f"  {view['files']} files; {view['to_container']} changes in, {view['to_host']} out{last}",
    ]
    lines += [f"  {line}" for line in view["problems"][:12]]
    lines += [f"  not done: {line}" for line in view["failures"][:12]]
    if view["large"]:
        lines += ["too large, so they stay where they are (devenv.yaml, sync.max-file and outputs.max):"]
        rows = [(one["path"], one["side"], size(one["size"])) for one in view["large"][:12]]
        lines += ["  " + line for line in table(("PATH", "SIDE", "SIZE"), rows).splitlines()]
        if len(view["large"]) > len(rows):
            lines += [f"  and {len(view['large']) - len(rows)} more"]
    if view["conflicts"]:
        many = f"{len(view['conflicts'])} conflict{'s' * (len(view['conflicts']) > 1)}"
        lines += [f"{many} (devenv sync resolve PATH --host|--container|--both):"]
        lines += ["  " + line for line in _conflicts(view).splitlines()[:21]]
    return "\n".join(lines)


def _conflicts(view: "dict[str, Any]") -> str:
    rows = [(one["path"], _side(one, "host"), _side(one, "container"), one["why"]) for one in view["conflicts"]]
    return table(("PATH", "HOST", "CONTAINER", "WHY"), rows)


def _side(one: "dict[str, Any]", side: str) -> str:
    if one[f"{side}_size"] is None or one[side] != "file":
        return str(one[side])
    when = time.strftime("%b %d %H:%M:%S", time.localtime(one[f"{side}_time"]))
    return f"{size(one[f'{side}_size'])}, {when}"


def _ago(at: float) -> str:
    from devenv.cli.narrate import duration

    return f"{duration(max(0.0, time.time() - at))} ago"


VERB = Verb(
    "sync",
    "The project's files where they are copied to another machine and kept the same: how it stands (status), wait "
    "until both sides are alike (flush), conflicts and their resolution (conflicts, diff, resolve), pause and resume, "
    "read everything again (verify), merge anew without deleting (reset), bring back what was replaced (trash, undo).",
    run,
    (
        Option("--host", "resolve: keep what this machine has"),
        Option("--container", "resolve: keep what the container has"),
        Option("--both", "resolve: keep both, the container's under a name of its own"),
        Option("--all", "resolve: every conflict"),
        Option("--allow-deletions", "resume: delete, although it is much"),
    ),
    ("action?", "name?"),
    "devenv sync resolve src/train.py --host",
)
