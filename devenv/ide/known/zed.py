"""Zed: an entry of `.zed/debug.json`, a list in JSON with comments."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from devcontainer.jsonc import JsonValue, Path
from devenv.ide.edit import Editor, FileEdit, Merged
from devenv.ide.facts import HOST, NAME, Address, Facts
from devenv.ide.merge import jsonc
from devenv.ide.merge.jsonc import Entry

FILE = ".zed/debug.json"
_ROOT = "$ZED_WORKTREE_ROOT"


def _value(facts: Facts, address: Address) -> dict[str, Any]:
    return {
        "label": address.title,
        "adapter": "Debugpy",
        "request": "attach",
        "connect": {"host": HOST, "port": address.port},
        "pathMappings": _mappings(facts),
        "justMyCode": facts.just_my_code,
    }


def _mappings(facts: Facts) -> list[JsonValue]:
    return [{"localRoot": _ROOT, "remoteRoot": facts.remote_root}]


def _entry(facts: Facts, address: Address) -> Entry:
    def repairs(item: Mapping[str, Any]) -> Iterator[tuple[Path, JsonValue]]:
        connect = item.get("connect")
        if not isinstance(connect, dict):
            yield ("connect",), {"host": HOST, "port": address.port}
        elif connect.get("port") != address.port:
            yield ("connect", "port"), address.port
        mappings = item.get("pathMappings")
        named = [m.get("remoteRoot") for m in mappings if isinstance(m, dict)] if isinstance(mappings, list) else []
        if facts.remote_root not in named:
            yield ("pathMappings",), _mappings(facts)

    return Entry(address.title, _value(facts, address), repairs)


def merge(text: str | None, facts: Facts, add: bool) -> Merged:
    if text is None or not text.strip():
        return Merged(jsonc.new([_value(facts, address) for address in facts.addresses]) if add else text or "", False)
    labels = [item.get("label") for item in jsonc.entries(text, ()) if isinstance(item, dict)]
    ours = any(address.title in labels for address in facts.addresses)
    door = jsonc.merge(text, (), "label", [_entry(facts, facts.door)], add=add)
    sessions = [_entry(facts, address) for address in facts.sessions]
    return Merged(jsonc.merge(door, (), "label", sessions, add=add or ours), ours)


def show(facts: Facts) -> str:
    return f"// an entry of {FILE}\n" + json.dumps(_value(facts, facts.door), indent=2, ensure_ascii=False)


EDITOR = Editor("zed", "Zed", (FileEdit("zed", FILE, merge),), f'F4 (debugger: start) and "{NAME}"', show)
