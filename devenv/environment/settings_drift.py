"""devenv's own settings of a container, `container:` in devenv.yaml and below: other ones than when it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from devcontainer.merge import Merged
from devenv.api.views import DriftView
from devenv.config import ContainerConfig
from devenv.environment import settings
from devenv.environment.target import Target
from devenv.errors import ConfigError

_LIVE = frozenset({"hook-timeout"})
_ABSENT = "(none)"


def portrait(container: ContainerConfig) -> dict[str, str]:
    """What counts when a container is made: name of a setting to its JSON. Those that are not given are left out."""
    default, found = msgspec.to_builtins(ContainerConfig()), msgspec.to_builtins(container)
    return {
        name: json.dumps(value, sort_keys=True)
        for name, value in found.items()
        if name not in _LIVE and value != default.get(name)
    }


def differences(target: Target, merged: Merged, then: Mapping[str, str]) -> list[DriftView]:
    """Blocking: reads devenv.yaml. A file that is being edited wrongly is for `up` to tell."""
    try:
        now = portrait(settings.of(target, merged).container)
    except ConfigError:
        return []
    return [
        DriftView(property=f"container.{name}", wanted=now.get(name, _ABSENT), actual=then.get(name, _ABSENT))
        for name in sorted({*now, *then})
        if now.get(name) != then.get(name)
    ]
