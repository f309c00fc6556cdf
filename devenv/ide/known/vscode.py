"""VS Code: attach entries in launch.json, a compound that joins them, and a task that starts the current file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from devcontainer.jsonc import JsonValue, Path
from devcontainer.jsonc.edit import set_value
from devenv.ide.edit import Editor, FileEdit, Merged
from devenv.ide.facts import HOST, NAME, Address, Facts
from devenv.ide.merge import jsonc
from devenv.ide.merge.jsonc import Entry

LAUNCH = ".vscode/launch.json"
TASKS = ".vscode/tasks.json"
CURRENT = "devenv: debug current file"
ALL = "devenv: attach all"
LOCAL_ROOT = "${workspaceFolder}"
_TYPES = ("debugpy", "python")  # "python" is the older name of the same debugger


def attach(facts: Facts, address: Address) -> dict[str, Any]:
    """The entry of one address. `connect` is copied by debugpy for child processes, so it is the host's address."""
    return {
        "name": address.title,
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": HOST, "port": address.port},
        "pathMappings": _mappings(facts),
        "justMyCode": facts.just_my_code,
        "subProcess": facts.subprocess,
    }


def task() -> dict[str, Any]:
    """Starts the file in the editor; done, for the debugger, when the program waits for it.

    The pattern needs a file and a line to be a problem at all; a failure of `devenv debug` has neither.
    """
    return {
        "label": CURRENT,
        "type": "process",
        "command": "devenv",
        "args": ["debug", "${file}"],
        "options": {"cwd": LOCAL_ROOT},
        "isBackground": True,
        "presentation": {"reveal": "always", "panel": "dedicated", "clear": True},
        "problemMatcher": {
            "owner": "devenv",
            "pattern": {"regexp": "^devenv: error: (.*)$", "message": 1, "file": 1, "line": 1},
            "background": {
                "activeOnStart": True,
                "beginsPattern": "^devenv: starting",
                "endsPattern": "^devenv: debugger ready",
            },
        },
    }


def _mappings(facts: Facts) -> list[JsonValue]:
    return [{"localRoot": LOCAL_ROOT, "remoteRoot": facts.remote_root}]


def port_of(item: Mapping[str, Any]) -> int | None:
    """The port that an attach entry names, in its present form or the one before `connect`."""
    connect = item.get("connect")
    port = connect.get("port") if isinstance(connect, dict) else item.get("port")
    return port if isinstance(port, int) else None


def _remote_roots(item: Mapping[str, Any]) -> list[str]:
    mappings = item.get("pathMappings")
    found = [m.get("remoteRoot") for m in mappings if isinstance(m, dict)] if isinstance(mappings, list) else []
    return [root for root in found if isinstance(root, str)]


def _entry(facts: Facts, address: Address, **more: JsonValue) -> Entry:
    def repairs(item: Mapping[str, Any]) -> Iterator[tuple[Path, JsonValue]]:
        if port_of(item) != address.port:
            inside = isinstance(item.get("connect"), dict)
            yield (
                (("connect", "port"), address.port) if inside else (("connect",), {"host": HOST, "port": address.port})
            )
        if facts.remote_root not in _remote_roots(item):
            yield ("pathMappings",), _mappings(facts)

    value = {**attach(facts, address), **more}
    return Entry(str(value["name"]), value, repairs)


def fitting(text: str | None, facts: Facts) -> Mapping[str, Any] | None:
    """An attach entry that leads to this project's container, ours first, whatever its name and port."""
    if text is None or not text.strip():
        return None
    items = [
        item
        for item in jsonc.entries(text, ("configurations",))
        if isinstance(item, dict) and item.get("type") in _TYPES and item.get("request") == "attach"
    ]
    items.sort(key=lambda item: item.get("name") != NAME)
    return next((item for item in items if facts.remote_root in _remote_roots(item)), None)


def _says(text: str, facts: Facts) -> int | None:
    entry = fitting(text, facts)
    return None if entry is None else port_of(entry)


def _has_ours(text: str, at: Path, key: str) -> bool:
    return any(
        isinstance(item, dict) and str(item.get(key, "")).startswith("devenv: ") for item in jsonc.entries(text, at)
    )


def merge_attach(text: str | None, facts: Facts, add: bool) -> Merged:
    """The door's attach entry, and those of ranks: what `devenv debug` keeps right by itself."""
    if text is None or not text.strip():
        if not add:
            return Merged(text or "", ours=False)
        text = jsonc.new({"version": "0.2.0", "configurations": []})
    ours = _has_ours(text, ("configurations",), "name")
    there = fitting(text, facts)
    # An entry of the person's own that leads to the debugger is enough.
    if there is None or there.get("name") == NAME or port_of(there) != facts.door.port:
        text = jsonc.merge(text, ("configurations",), "name", [_entry(facts, facts.door)], add=add)
    if add and facts.joined and facts.sessions:
        text = _merge_sessions(text, facts)
    return Merged(text, ours)


def _merge_sessions(text: str, facts: Facts) -> str:
    """Their entries, and one that attaches to all of them. The door is not in it: it leads to one of them."""
    sessions = [_entry(facts, address) for address in facts.sessions]
    text = jsonc.merge(text, ("configurations",), "name", sessions, add=True)
    names: list[JsonValue] = [address.title for address in facts.sessions]

    def repairs(item: Mapping[str, Any]) -> Iterator[tuple[Path, JsonValue]]:
        if item.get("configurations") != names:
            yield ("configurations",), names

    compound = Entry(ALL, {"name": ALL, "configurations": names}, repairs)
    return jsonc.merge(text, ("compounds",), "name", [compound], add=True)


def merge_launch(text: str | None, facts: Facts, add: bool) -> Merged:
    """The attach entries, and the one that starts the current file first. Where that one is, sessions come by
    themselves later: somebody has asked for all of it."""
    merged = merge_attach(text, facts, add)
    if not merged.text.strip():
        return merged
    current = _entry(facts, facts.door, name=CURRENT, preLaunchTask=CURRENT)
    text = jsonc.merge(merged.text, ("configurations",), "name", [current], add=add)
    names = [item.get("name") for item in jsonc.entries(text, ("configurations",)) if isinstance(item, dict)]
    if facts.sessions and CURRENT in names:
        text = _merge_sessions(text, facts)
    return Merged(text, merged.ours)


def merge_tasks(text: str | None, facts: Facts, add: bool) -> Merged:
    if text is None or not text.strip():
        return Merged(jsonc.new({"version": "2.0.0", "tasks": [task()]}) if add else text or "", ours=False)
    ours = _has_ours(text, ("tasks",), "label")
    text = jsonc.merge(text, ("tasks",), "label", [Entry(CURRENT, task())], add=add)
    if add and "version" not in jsonc.read(text):
        text = set_value(text, ("version",), "2.0.0")
    return Merged(text, ours)


def show(facts: Facts) -> str:
    return f"// an entry of configurations in {LAUNCH}; `devenv debug` adds it by itself\n" + json.dumps(
        attach(facts, facts.door), indent=2, ensure_ascii=False
    )


ATTACH = FileEdit("vscode", LAUNCH, merge_attach, _says)
EDITOR = Editor(
    "vscode",
    "VS Code",
    (FileEdit("vscode", LAUNCH, merge_launch, _says), FileEdit("vscode", TASKS, merge_tasks)),
    f'F5 with "{CURRENT}" starts the file in the container; with "{NAME}" it joins what runs',
    show,
)
