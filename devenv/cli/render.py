"""Views as text for people. The data is what --json prints; nothing here decides anything."""

import os
import time

from devenv.api.sentences import pending
from devenv.cli.narrate import duration, size
from devenv.cli.tables import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LABEL = 12
# fmt: off
_FLAGS = frozenset({
    "--detach", "--init", "--interactive", "--no-healthcheck", "--oom-kill-disable", "--privileged", "--publish-all",
    "--quiet", "--read-only", "--rm", "--sig-proxy", "--tty", "-P", "-d", "-i", "-q", "-t",
})
# fmt: on
"""Of `docker create`: the options that take no value."""

_IN_FORCE = "in force for new processes"


def _row(label: str, text: str) -> str:
    return f"  {label:{_LABEL}}{text}"


def environment(snapshot: "dict[str, Any]") -> str:
    """One environment on one page: what `up` and `status` print."""
    view = snapshot["environment"]
    head = f"{view['name']}: {view['status']}"
    if view["status"] == "running" and view["started"]:
        head += f" for {duration(max(0.0, time.time() - view['started']))}"
    lines = [head]
    if view["owner"]:
        lines.append(_row("owner", f"{view['owner']} (not yours: shown, never touched)"))
    if view["container"]:
        made = " (made by another tool)" if view["adopted"] else ""
        lines.append(_row("container", f"{view['container']}{made}"))
        lines.append(_row("image", view["image"]))
    if view.get("others"):
        place = os.path.relpath(view["config_file"], view["local_folder"])
        lines.append(_row("config", f"{place} (one of {len(view['others']) + 1}; devenv configs)"))
    if view.get("host"):
        away = f" ({view['round_trip'] * 1000:.1f} ms away)" if view.get("round_trip") is not None else ""
        lines.append(_row("host", f"{view['host']}{away}"))
    lines.append(_row("folder", f"{view['local_folder']} -> {view['workspace_folder'] or '-'}"))
    if view["remote_user"]:
        lines.append(_row("user", view["remote_user"]))
    if view["python"]:
        lines.append(_row("python", f"{view['python']} ({view['python_version']})"))
    elif view["status"] == "running":
        lines.append(_row("python", "none found in the image: exec, shell, logs and ports work, runs do not"))
    if view["tier"]:
        lines.append(_row("link", f"{view['tier']} ({view['tier_reason']})"))
    files = snapshot.get("sync")
    if files:
        told = f"{files['state']}{': ' + files['why'] if files['why'] else ''}, {files['files']} files"
        many = len(files["conflicts"])
        told += f", {many} conflict{'s' if many > 1 else ''} (devenv sync)" if many else ""
        lines.append(_row("files", told))
    usage = view["usage"]
    if view["status"] == "running" and usage["memory"]:
        limit = f" of {size(usage['memory_limit'])}" if usage["memory_limit"] else ""
        lines.append(_row("usage", f"CPU {usage['cpu_percent']:.0f} %, memory {size(usage['memory'])}{limit}"))
    debug = snapshot.get("debug")
    if debug:
        lines.append(_row("debugger", _debug(debug)))
    for service in snapshot.get("services", []):
        where = service["url"] if service["state"] == "running" else service["reason"]
        hint = f"  (devenv open {service['name']})" if service["state"] == "running" and service["url"] else ""
        if service["state"] == "stopped":
            hint = f"devenv services start {service['name']}"
        lines.append(_row(service["name"], f"{service['state']} {where}{hint}".rstrip()))
    live = [
        run for run in snapshot.get("runs", []) if run["state"] in ("starting", "running") and run["kind"] != "service"
    ]
    for run in live:
        lines.append(_row("run", f"{run['name']} ({run['id']}), {duration(time.time() - run['started'])}"))
    if view.get("pending"):
        lines.append(f"  {pending(view['pending'])}")
    lines += _failure(snapshot.get("operation"))
    live = [drift for drift in view["drift"] if drift.get("live")]
    if live:
        names = ", ".join(drift["property"] for drift in live)
        lines.append(f"  changed, and {_IN_FORCE}: {names}")
    fixed = [drift for drift in view["drift"] if not drift.get("live")]
    if fixed:
        lines.append("  differs from the configuration:")
        lines += [f"    {drift['property']}: {drift['actual']} -> {drift['wanted']}" for drift in fixed]
        lines.append("    `devenv rebuild` applies it")
    lines += [f"  note: {note}" for note in view["notes"]]
    return "\n".join(lines) + "\n"


def _failure(operation: "dict[str, Any] | None") -> "list[str]":
    """How the last long work on the environment ended, if not well."""
    if not operation or operation["running"] or not operation["error"]:
        return []
    what = "lifecycle commands" if operation["verb"] == "hooks" else f"devenv {operation['verb']}"
    error = operation["error"].splitlines()[0]
    return [f"  {what} failed: {error}", *([f"    {operation['hint']}"] if operation["hint"] else [])]


def _debug(view: "dict[str, Any]") -> str:
    state = "a program waits" if view["waiting"] else "attached" if view["attached"] else "idle"
    note = f"; {view['note']}" if view["note"] else ""
    return f"{view['host']}:{view['port']} ({state}{note})"


def plan(result: "dict[str, Any]") -> str:
    """What `up --dry-run` prints: the steps, the exact argument list, what differs."""
    lines = [f"{index}. {step}" for index, step in enumerate(result["steps"], 1)]
    if result.get("create"):
        lines += ["", " \\\n  ".join(["docker create", *_options(result["create"])])]
    if result.get("override"):
        lines += ["", "after the project's own Compose files:", *result["override"]]
    if result["drift"]:
        lines += ["", "differs:"]
        rows = [
            (drift["property"], drift["actual"], drift["wanted"], _IN_FORCE if drift.get("live") else "")
            for drift in result["drift"]
        ]
        lines.append(table(("PROPERTY", "CONTAINER", "CONFIGURATION", ""), rows).rstrip())
    lines += [f"note: {note}" for note in result["notes"]]
    return "\n".join(lines or ["nothing to do"]) + "\n"


def _options(words: "list[str]") -> "list[str]":
    """As a shell reads them, an option with its value on one line; the image and what follows on the last."""
    import shlex

    found: list[str] = []
    at = 0
    while at < len(words) and words[at].startswith("-"):
        valued = "=" not in words[at] and words[at] not in _FLAGS
        found.append(" ".join(shlex.quote(word) for word in words[at : at + 1 + valued]))
        at += 1 + valued
    return [*found, " ".join(shlex.quote(word) for word in words[at:])]


def taken_down(result: "dict[str, Any]") -> str:
    """What `stop` and `down` print."""
    lines = [f"{run['name']} ({run['id']}): {run['state']}" for run in result["ended"]]
    if result["ended"]:
        lines.insert(0, "ended:")
    lines.append(result["sentence"])
    lines += [f"note: {note}" for note in result["notes"]]
    return "\n".join(lines) + "\n"
