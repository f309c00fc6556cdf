"""Views as text for people. The data is what --json prints; nothing here decides anything."""

import time

from devenv.cli.narrate import duration, size
from devenv.cli.tables import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LABEL = 12


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
    lines.append(_row("folder", f"{view['local_folder']} -> {view['workspace_folder'] or '-'}"))
    if view["remote_user"]:
        lines.append(_row("user", view["remote_user"]))
    if view["python"]:
        lines.append(_row("python", f"{view['python']} ({view['python_version']})"))
    elif view["status"] == "running":
        lines.append(_row("python", "none found in the image: exec, shell, logs and ports work, runs do not"))
    if view["tier"]:
        lines.append(_row("link", f"{view['tier']} ({view['tier_reason']})"))
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
    if view["drift"]:
        lines.append("  differs from the configuration:")
        lines += [f"    {drift['property']}: {drift['actual']} -> {drift['wanted']}" for drift in view["drift"]]
        lines.append("    `devenv rebuild` applies it")
    lines += [f"  note: {note}" for note in view["notes"]]
    return "\n".join(lines) + "\n"


def _debug(view: "dict[str, Any]") -> str:
    state = "a program waits" if view["waiting"] else "attached" if view["attached"] else "idle"
    note = f"; {view['note']}" if view["note"] else ""
    return f"{view['host']}:{view['port']} ({state}{note})"


def plan(result: "dict[str, Any]") -> str:
    """What `up --dry-run` prints: the steps, the exact argument list, what differs."""
    lines = [f"{index}. {step}" for index, step in enumerate(result["steps"], 1)]
    if result.get("create"):
        lines += [
            "",
            "docker create \\",
            *(f"  {word} \\" for word in result["create"][:-1]),
            f"  {result['create'][-1]}",
        ]
    if result["drift"]:
        lines += ["", "differs:"]
        rows = [(drift["property"], drift["actual"], drift["wanted"]) for drift in result["drift"]]
        lines.append(table(("PROPERTY", "CONTAINER", "CONFIGURATION"), rows).rstrip())
    lines += [f"note: {note}" for note in result["notes"]]
    return "\n".join(lines or ["nothing to do"]) + "\n"


def taken_down(result: "dict[str, Any]") -> str:
    """What `stop` and `down` print."""
    lines = [f"{run['name']} ({run['id']}): {run['state']}" for run in result["ended"]]
    if result["ended"]:
        lines.insert(0, "ended:")
    lines.append(result["sentence"])
    lines += [f"note: {note}" for note in result["notes"]]
    return "\n".join(lines) + "\n"
