"""JSON as JavaScript prints it, for what must have the bytes of the reference: the label, the lockfile, the lists."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping

from devcontainer.jsonc import JsonValue

_ARRAY_INDEX = re.compile(r"(?:0|[1-9][0-9]{0,9})\Z", re.ASCII)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_EXPONENT = re.compile(r"e([+-])0*(?=[0-9])")


def keys(names: Iterable[str]) -> list[str]:
    """The order of an object's keys: integer-like ones ("8080") first, ascending, then the others as they came."""
    found = list(dict.fromkeys(names))
    return [*sorted((name for name in found if _is_index(name)), key=int), *(n for n in found if not _is_index(n))]


def ordered(value: JsonValue | Mapping[str, JsonValue]) -> JsonValue:
    """The same value with its keys in that order, and whole numbers without a fraction."""
    if isinstance(value, Mapping):
        return {key: ordered(value[key]) for key in keys(value)}
    if isinstance(value, list):
        return [ordered(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value


def stringify(value: JsonValue | Mapping[str, JsonValue], indent: int | None = None) -> str:
    """What `JSON.stringify` gives: without spaces, or with `indent` spaces for a step."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(ordered(value), ensure_ascii=False, indent=indent, separators=separators)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def text(value: str | bool | int | float) -> str:
    """What a template literal makes of a value: `true`, `3.1`, `1e-7`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "-Infinity" if value < 0 else "Infinity"
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else _EXPONENT.sub(r"e\1", repr(value))
    return str(value)


def _is_index(key: str) -> bool:
    return _ARRAY_INDEX.match(key) is not None and int(key) < 2**32 - 1
