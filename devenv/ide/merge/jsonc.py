"""Lists of named entries in a JSONC file: launch.json, tasks.json, Zed's debug.json."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from devcontainer.jsonc import JsoncError, JsonValue, Path, parse
from devcontainer.jsonc.edit import append, set_value
from devenv.ide.merge.outcome import Unmergeable

Repairs = Callable[[Mapping[str, Any]], Iterable[tuple[Path, JsonValue]]]


def _none(_: Mapping[str, Any]) -> tuple[()]:
    return ()


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """`value` is written where there is no entry of this name; of one that is there, `repairs` says which values
    inside it are ours to correct, and what they must be. The rest of it belongs to the person."""

    name: str
    value: Mapping[str, JsonValue]
    repairs: Repairs = _none


def read(text: str) -> Any:
    """The text's value. Raises Unmergeable."""
    try:
        return parse(text).value
    except JsoncError as error:
        raise Unmergeable(
            f"it is no JSON with comments (line {error.line}, column {error.column}: {error.message})"
        ) from None


def entries(text: str, at: Path) -> list[Any]:
    """The elements of the list at `at`; [] where there is none. Raises Unmergeable when something else is there."""
    value = read(text)
    for step in at:
        if not isinstance(value, dict):
            raise Unmergeable("its root is no object")
        value = value.get(str(step), [])
    if not isinstance(value, list):
        raise Unmergeable(f"its {at[-1]!r} is no list" if at else "its root is no list")
    return value


def merge(text: str, at: Path, key: str, wanted: Sequence[Entry], *, add: bool) -> str:
    """The text with each of `wanted` in the list at `at`, known by its `key`; with `add` False, only those that are
    there are corrected. Merging twice is merging once. Raises Unmergeable."""
    for entry in wanted:
        items = entries(text, at)
        index = next((i for i, item in enumerate(items) if isinstance(item, dict) and item.get(key) == entry.name), -1)
        if index >= 0:
            for path, value in entry.repairs(items[index]):
                text = set_value(text, (*at, index, *path), value)
        elif add:
            text = append(text, at, dict(entry.value))
    return text


def new(value: JsonValue) -> str:
    """The text of a file that holds nothing else."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
