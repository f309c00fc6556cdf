"""Options as features and templates declare them, and whether a given value is one of them.

(Spec, *options property*.) `enum` is the whole choice; the reference does not enforce it, the specification does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from devcontainer import checks, javascript
from devcontainer.checks import Check, Issue
from devcontainer.jsonc import JsonValue, Path
from devcontainer.problem import Severity

TYPES = ("boolean", "string")


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """One declared option. `enum` is the whole choice, `proposals` are suggestions; at most one of them is filled."""

    name: str
    type: str = "string"  # or "boolean"
    default: str | bool | None = None
    description: str = ""
    enum: tuple[str, ...] = ()
    proposals: tuple[str, ...] = ()


def declared(value: JsonValue) -> dict[str, Option]:
    """The options of a manifest, in the order written. What is no declaration is left out; `issues` says so."""
    found = value.items() if isinstance(value, dict) else ()
    return {name: _option(name, entry) for name, entry in found if isinstance(entry, dict)}


def lenient(check: Check) -> Check:
    """A manifest is somebody else's file: what this check finds stops nobody from using it."""

    def inner(value: JsonValue, path: Path) -> Iterator[Issue]:
        for issue in check(value, path):
            yield issue._replace(severity=Severity.WARNING)

    return inner


def issues(value: JsonValue, path: Path) -> Iterator[Issue]:
    """What is wrong with the declarations at `path` of a manifest."""
    yield from checks.mapping(_DECLARATION)(value, path)
    for name, entry in value.items() if isinstance(value, dict) else ():
        if isinstance(entry, dict):
            yield from _default_issues(entry, (*path, name))


def value_issues(option: Option, value: str | bool, path: Path) -> Iterator[Issue]:
    """What is wrong with a value that is given to an option."""
    text = javascript.text(value)
    if option.type == "boolean":
        if isinstance(value, str):
            if value in ("true", "false"):
                yield Issue(path, f"is a text; the option takes {value} without quotes", "", Severity.WARNING)
            else:
                yield Issue(path, f"must be true or false, not the text {value!r}")
    elif option.enum and text not in option.enum:
        listed = ", ".join(repr(word) for word in option.enum)
        yield Issue(path, f"{text!r} is not one of {listed}", checks.nearest(text, option.enum))
    elif isinstance(value, bool):
        yield Issue(path, f"is {text} without quotes; the option takes a text", "", Severity.WARNING)


_text = lenient(checks.text)
_texts_check = lenient(checks.array(checks.text))
_DECLARATION = checks.fields(
    {
        "type": lenient(checks.one_of(*TYPES)),
        "default": checks.anything,
        "description": _text,
        "enum": _texts_check,
        "proposals": _texts_check,
    }
)


def _option(name: str, entry: Mapping[str, JsonValue]) -> Option:
    kind, default, description = entry.get("type"), entry.get("default"), entry.get("description")
    enum = _texts(entry.get("enum"))
    return Option(
        name,
        "boolean" if kind == "boolean" or (kind != "string" and isinstance(default, bool)) else "string",
        default if isinstance(default, str | bool | None) else _number(default),
        description if isinstance(description, str) else "",
        enum,
        () if enum else _texts(entry.get("proposals")),
    )


def _number(value: JsonValue) -> str | None:
    """A number was meant as a text."""
    return javascript.text(value) if isinstance(value, int | float) else None


def _default_issues(entry: Mapping[str, JsonValue], path: Path) -> Iterator[Issue]:
    kind, default, enum = entry.get("type"), entry.get("default"), _texts(entry.get("enum"))
    wanted = bool if kind == "boolean" else str
    if default is not None and not isinstance(default, wanted):
        message = f"must be {'true or false' if wanted is bool else 'a text'}, not {checks.describe(default)}"
        yield Issue((*path, "default"), message, "", Severity.WARNING)
    elif enum and isinstance(default, str) and default not in enum:
        yield Issue((*path, "default"), f"{default!r} is not in 'enum'", "", Severity.WARNING)
    if enum and "proposals" in entry:
        yield Issue((*path, "proposals"), "has no effect beside 'enum'", "", Severity.WARNING, at_key=True)


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
