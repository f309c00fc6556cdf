"""Helix's debugger template in a TOML file; tomlkit keeps comments, order and the person's own way of writing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from devenv.ide.merge.outcome import Unmergeable


def merge_template(text: str, language: str, name: str, template: Mapping[str, Any], *, add: bool) -> tuple[str, bool]:
    """The text with the debugger template `name` of a language, and whether it was there.

    One that is there is the person's to change. A debugger that they have configured for the language stays and gets
    the template. Raises Unmergeable.
    """
    import tomlkit  # 40 ms that nobody else waits for
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise Unmergeable(f"it is no TOML ({error})") from None
    with _expected():
        entry = next((item for item in document.get("language", ()) if item["name"] == language), None)
        debugger = None if entry is None else entry.get("debugger")
        templates = () if debugger is None else debugger.get("templates", ())
        ours = any(item.get("name") == name for item in templates)
        if ours or not add:
            return text, ours
        if entry is None:
            entry = _added_language(document, language)
        _add_template(entry, template)
    merged: str = tomlkit.dumps(document)
    return merged, False


@contextlib.contextmanager
def _expected() -> Any:
    try:
        yield
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise Unmergeable(
            f"its languages are not written as Helix reads them ({type(error).__name__}: {error})"
        ) from None


def _added_language(document: Any, language: str) -> Any:
    import tomlkit

    entry = tomlkit.table()
    entry.add("name", language)
    if "language" in document:
        document["language"].append(entry)
        return document["language"][-1]
    languages = tomlkit.aot()
    languages.append(entry)
    document.append("language", languages)
    return entry


def _add_template(entry: Any, template: Mapping[str, Any]) -> None:
    """Tables of their own where the text has such; inside an inline table everything is inline."""
    import tomlkit
    from tomlkit.items import AoT, InlineTable

    debugger = entry.get("debugger")
    inline = isinstance(entry, InlineTable) or isinstance(debugger, InlineTable)
    if debugger is None:
        debugger = tomlkit.inline_table() if inline else tomlkit.table()
        debugger.update({"name": "debugpy", "transport": "tcp", "command": "true", "args": []})
        entry["debugger"] = debugger
        debugger = entry["debugger"]
    there = debugger.get("templates")
    if inline or (there is not None and not isinstance(there, AoT)):
        if there is None:
            debugger["templates"] = [dict(template)]
        else:
            there.append(_inline(template))
        return
    made = tomlkit.table()
    for key, value in template.items():
        made.add(key, _inline(value))
    if there is not None:
        there.append(made)
        return
    templates = tomlkit.aot()
    templates.append(made)
    debugger.add("templates", templates)


def _inline(value: Any) -> Any:
    import tomlkit

    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update({key: _inline(inner) for key, inner in value.items()})
        return table
    if isinstance(value, list):
        array = tomlkit.array()
        array.extend([_inline(inner) for inner in value])
        return array
    return value
