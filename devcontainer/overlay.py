"""A person's own settings over the team's configuration: `devcontainer.local.json`, never committed, never written.

What may stand in an image's label (environment, mounts, users, hooks, ports, ...) becomes a further metadata entry
after the file's own, so that the specification's merge rules hold: hooks of both run, lists are joined, single values
are the person's. Everything else is merged here: objects per key, lists joined, single values replaced, null removes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from devcontainer import metadata
from devcontainer.discover import NAME
from devcontainer.jsonc import JsonValue
from devcontainer.model import DevContainer

LOCAL_NAME = "devcontainer.local.json"

_OTHER_KIND = {
    "image": ("build", "dockerFile", "context", "dockerComposeFile", "service", "runServices"),
    "build": ("image", "dockerFile", "context", "dockerComposeFile", "service", "runServices"),
    "dockerComposeFile": ("image", "build", "dockerFile", "context"),
}
"""A personal file that names another kind of container replaces the team's kind."""


def local_name(config_name: str) -> str:
    """The personal file's name beside a configuration of this name: hidden where the configuration is."""
    return LOCAL_NAME if config_name == NAME else f".{LOCAL_NAME}"


@dataclasses.dataclass(frozen=True)
class Layered:
    """`config` holds the merged keys that no label has; `entries` are the label entries, team's first."""

    config: DevContainer
    entries: tuple[metadata.Entry, ...]
    live_entries: tuple[metadata.Entry, ...]


def layer(team: DevContainer, personal: Sequence[DevContainer]) -> Layered:
    """`personal` in order of weight: the person's settings for all projects before those for this one."""
    raw = dict(team.raw)
    entries = [team.metadata_entry]
    live = [metadata.live_entry(team.raw)]
    for own in personal:
        entries.append(own.metadata_entry)
        live.append(metadata.live_entry(own.raw))
        raw = _merged(raw, {key: value for key, value in own.raw.items() if key not in metadata.CONFIG_KEYS})
    return Layered(
        dataclasses.replace(team, raw=raw),
        tuple(entry for entry in entries if entry),
        tuple(entry for entry in live if entry),
    )


def _merged(team: Mapping[str, JsonValue], own: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    made = dict(team)
    for kind, others in _OTHER_KIND.items():
        if own.get(kind) is not None and kind not in made:
            for key in others:
                made.pop(key, None)
    for key, value in own.items():
        present = made.get(key)
        if value is None:
            made.pop(key, None)
        elif isinstance(present, dict) and isinstance(value, dict):
            made[key] = _merged(present, value)
        elif isinstance(present, list) and isinstance(value, list):
            made[key] = [*present, *(item for item in value if item not in present)]
        else:
            made[key] = value
    return made
