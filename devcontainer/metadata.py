"""The `devcontainer.metadata` label: configuration that an image or container carries (spec, *Image metadata*).

An array of entries, the base image's first, the project's last. They are stored unsubstituted, in the key order of
the reference, so that the bytes are the same whoever writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from devcontainer import identity, javascript
from devcontainer.jsonc import JsoncError, JsonValue, parse

Entry = dict[str, JsonValue]

CONFIG_KEYS: tuple[str, ...] = (
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
    "postAttachCommand",
    "waitFor",
    "customizations",
    "mounts",
    "containerEnv",
    "containerUser",
    "init",
    "privileged",
    "capAdd",
    "securityOpt",
    "remoteUser",
    "userEnvProbe",
    "remoteEnv",
    "overrideCommand",
    "portsAttributes",
    "otherPortsAttributes",
    "forwardPorts",
    "shutdownAction",
    "updateRemoteUserUID",
    "hostRequirements",
)
"""What a devcontainer.json contributes, in the order written."""

LIVE_KEYS: tuple[str, ...] = ("remoteUser", "userEnvProbe", "remoteEnv")
"""What the file still decides once the container exists; all else is what the label says."""


def read(label: str | None, complain: Callable[[str], None] | None = None) -> list[Entry]:
    """The entries of a label, also from the older form of a single object. No label: no entries.

    What cannot be read is left out and told to `complain`, because an image with a broken label still runs.
    """
    if not label:
        return []
    say = complain or (lambda _: None)
    try:
        value = parse(label, identity.METADATA).value
    except JsoncError as error:
        say(f"the label devcontainer.metadata is not JSON: column {error.column}: {error.message}")
        return []
    values = value if isinstance(value, list) else [value]
    entries = [entry for entry in values if isinstance(entry, dict)]
    if len(entries) != len(values):
        say("the label devcontainer.metadata has entries that are not objects; they are ignored")
    return entries


def entry(raw: Mapping[str, JsonValue]) -> Entry:
    """What a configuration contributes to the label: its own entry, unsubstituted."""
    return {key: raw[key] for key in CONFIG_KEYS if key in raw}


def live_entry(raw: Mapping[str, JsonValue]) -> Entry:
    """What a configuration adds to an existing container's entries."""
    return {key: raw[key] for key in LIVE_KEYS if key in raw}


def for_new(image_entries: Iterable[Entry], raw: Mapping[str, JsonValue]) -> list[Entry]:
    """The entries of a container that will be made from an image with these entries; empty ones vanish."""
    return [found for found in (*image_entries, entry(raw)) if found]


def for_existing(container_entries: Iterable[Entry], raw: Mapping[str, JsonValue]) -> list[Entry]:
    """The entries that count for a container made earlier with the same identity labels."""
    return [found for found in (*container_entries, live_entry(raw)) if found]


def write(entries: Iterable[Mapping[str, JsonValue]]) -> str:
    """The value of the label: compact JSON as JavaScript prints it."""
    return javascript.stringify([dict(entry) for entry in entries])
