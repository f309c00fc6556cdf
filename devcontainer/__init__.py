"""The Dev Container specification as a pure library: text in, models out. No engine, no network, no clock.

    import devcontainer

    file, *others = devcontainer.find(project)
    config = devcontainer.load(file.read_text(), str(file))
    for problem in config.problems:
        print(problem)

`docs/library.md` shows the way from a file to what a container is to be. Names below are the public ones; each is
loaded when it is first used, so that a caller pays for what it uses. Only `find` looks at a disk.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PLACES = {
    "Build": "model",
    "ComposeOverride": "compose:Override",
    "ComposeProject": "compose:Project",
    "DevContainer": "model",
    "Dockerfile": "dockerfile",
    "FeatureManifest": "features.manifest",
    "FeatureReference": "features.reference",
    "FeatureResolution": "features.graph:Resolution",
    "FetchedFeature": "features.graph:Fetched",
    "ForwardPort": "ports",
    "Gpu": "requirements",
    "Hook": "merge",
    "HostRequirements": "requirements",
    "InstallStep": "features.graph",
    "JsoncError": "jsonc",
    "Kind": "model",
    "LifecycleCommand": "lifecycle",
    "Lockfile": "features.lockfile",
    "Merged": "merge",
    "Mount": "mounts",
    "PortAttributes": "ports",
    "Problem": "problem",
    "Severity": "problem",
    "Stage": "lifecycle",
    "Substitution": "variables",
    "TemplateManifest": "templates",
    "VariableError": "variables",
    "Workspace": "workspace",
    "apply_template": "templates:apply",
    "compose_override": "compose:override",
    "devcontainer_id": "identity",
    "edit_jsonc": "jsonc.edit:set_value",
    "feature_dockerfile": "features.layers:dockerfile",
    "find": "discover",
    "format_mount": "mounts:format",
    "id_labels": "identity",
    "keep_alive": "keepalive:argv",
    "layer_personal": "overlay:layer",
    "load": "model",
    "load_feature": "features.manifest:load",
    "load_template": "templates:load",
    "merge_entries": "merge:merge",
    "merged_configuration": "readout",
    "metadata_entry": "metadata:entry",
    "parse_command": "lifecycle:parse",
    "parse_dockerfile": "dockerfile:parse",
    "parse_feature_reference": "features.reference:parse",
    "parse_jsonc": "jsonc:parse",
    "parse_mount": "mounts:parse",
    "port_attributes": "ports:attributes",
    "read_lockfile": "features.lockfile:read",
    "read_metadata": "metadata:read",
    "resolve_workspace": "workspace:resolve",
    "write_lockfile": "features.lockfile:write",
    "write_metadata": "metadata:write",
}
"""Public name: module, or module:name where it has another name there. Types stand in `__init__.pyi`."""

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, inside = place.partition(":")
    found = getattr(importlib.import_module(f"{__name__}.{module}"), inside or name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
