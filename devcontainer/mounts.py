"""Mounts as the engine writes them: `type=bind,source=/a,target=/b,readonly`, one CSV line.

A string mount is passed to the engine unchanged (it knows more options than any list here); parsing serves to find
duplicates, missing sources and drift.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence

from devcontainer.jsonc import JsonValue

_SOURCE_KEYS = ("source", "src")
_TARGET_KEYS = ("target", "dst", "destination")
_READONLY_KEYS = ("readonly", "ro")


class MountError(ValueError):
    """A mount that the engine would refuse: no target, or a line that is not CSV."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """`options` holds every other field in order, without value as (name, None). `text` is what goes to `--mount`."""

    type: str
    source: str | None
    target: str
    options: tuple[tuple[str, str | None], ...] = ()
    text: str = ""

    @property
    def readonly(self) -> bool:
        return any(key in _READONLY_KEYS and value not in ("false", "0") for key, value in self.options)


def parse(value: JsonValue) -> Mount:
    """A mount from a string or an object `{type, source?, target}`. Raises MountError.

    Without `type` the engine makes a volume. The value of an object with other keys loses them, as in the reference.
    """
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, Mapping):
        return _from_object(value)
    raise MountError("a mount is a text or an object with type, source and target")


def format(mount: Mount) -> str:
    """The value for `--mount`: as written if the mount came from text, else `type=…,src=…,dst=…` as the reference."""
    if mount.text:
        return mount.text
    fields = [f"type={mount.type}"]
    if mount.source:
        fields.append(f"src={mount.source}")
    fields.append(f"dst={mount.target}")
    fields += [key if value is None else f"{key}={value}" for key, value in mount.options]
    return ",".join(_quoted(field) for field in fields)


def merge(mounts: Iterable[Mount]) -> tuple[Mount, ...]:
    """Of several mounts at one target the last one stays, at its own place (spec, *Merge logic*)."""
    last: dict[str, Mount] = {}
    for mount in mounts:
        last.pop(mount.target, None)
        last[mount.target] = mount
    return tuple(last.values())


def parse_all(values: Sequence[JsonValue]) -> tuple[Mount, ...]:
    """Those of the values that are mounts; the others are the business of whoever validates."""
    found: list[Mount] = []
    for value in values:
        try:
            found.append(parse(value))
        except MountError:
            continue
    return tuple(found)


def _from_text(text: str) -> Mount:
    try:
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise MountError(f"{text!r} is not a mount: {error}") from error
    if len(rows) != 1:
        raise MountError(f"{text!r} is not a mount: one line is needed")
    kind, source, target = "volume", None, ""
    options: list[tuple[str, str | None]] = []
    for field in rows[0]:
        key, equals, value = field.partition("=")
        key = key.strip().lower()
        if key == "type":
            kind = value.lower()
        elif key in _SOURCE_KEYS:
            source = value
        elif key in _TARGET_KEYS:
            target = value
        elif key:
            options.append((key, value if equals else None))
    if not target:
        raise MountError(f"{text!r} has no target")
    return Mount(kind, source or None, target, tuple(options), text)


def _from_object(value: Mapping[str, JsonValue]) -> Mount:
    kind, source, target = value.get("type", "volume"), value.get("source"), value.get("target")
    if not isinstance(target, str) or not target:
        raise MountError("a mount needs a target")
    if not isinstance(kind, str):
        raise MountError("the type of a mount is a text")
    if source is not None and not isinstance(source, str):
        raise MountError("the source of a mount is a text")
    return Mount(kind, source or None, target)


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"' if any(char in field for char in ',"\n') else field
