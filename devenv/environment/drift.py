"""What differs between the configuration and the container, property by property, with both values. Pure.

Environment values are compared by digest and shown by name only. Properties that apply without a new container
(remoteEnv, userEnvProbe, ports, hooks) are not drift. `remoteUser` is: ids are adapted when a container is made, and
runs belong to the user who began them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from devenv.api.views import DriftView
from devenv.environment.properties import Properties

_INTERNAL = frozenset({"imageEntries"})
_DIGESTS = frozenset({"containerEnv", "build.args"})
_LIVE = frozenset({"containerEnv"})  # new processes get it at once; the container's first one with a rebuild
_ABSENT = "(none)"


def compare(wanted: Properties, actual: Properties) -> list[DriftView]:
    """Both from `devenv.environment.properties`. What `actual` does not know is not compared."""
    found: list[DriftView] = []
    for name, value in wanted.items():
        if name in _INTERNAL or name not in actual or value == actual[name]:
            continue
        if isinstance(value, Mapping):
            known = actual[name] if isinstance(actual[name], Mapping) else {}
            found += _per_key(name, value, known, live=name in _LIVE)
        else:
            found.append(DriftView(property=name, wanted=_show(value), actual=_show(actual[name])))
    # A configuration that changed its kind: from an image to a Dockerfile, or back.
    kinds = ("image", "build.dockerfile", "compose.service")
    for name in kinds:
        if name in actual and name not in wanted and name != "compose.service":
            found.append(DriftView(property=name, wanted=_ABSENT, actual=_show(actual[name])))
        elif name in wanted and name not in actual and any(kind in actual for kind in kinds):
            found.append(DriftView(property=name, wanted=_show(wanted[name]), actual=_ABSENT))
    if "features" in actual and "features" not in wanted:
        found += _per_key("features", {}, actual["features"])
    elif "features" in wanted and "features" not in actual and "imageEntries" in actual:
        found += _per_key("features", wanted["features"], {})
    return found


def _per_key(name: str, wanted: Mapping[str, Any], actual: Mapping[str, Any], *, live: bool = False) -> list[DriftView]:
    found = []
    for key in [*wanted, *(k for k in actual if k not in wanted)]:
        if wanted.get(key) == actual.get(key):
            continue
        if name in _DIGESTS:
            new = "(another value)" if key in wanted and key in actual else "set" if key in wanted else _ABSENT
            old = "(value at creation)" if key in wanted and key in actual else "set" if key in actual else _ABSENT
        else:
            new = _show(wanted[key]) if key in wanted else _ABSENT
            old = _show(actual[key]) if key in actual else _ABSENT
        found.append(
            DriftView(
                property=f"{name}.{key}" if name in _DIGESTS else f"{name} {key}", wanted=new, actual=old, live=live
            )
        )
    return found


def image_moved(reference: str, wanted_id: str, actual_id: str) -> list[DriftView]:
    """The image's name means another image now than when the container was made."""
    if not wanted_id or not actual_id or wanted_id == actual_id:
        return []
    return [DriftView(property=f"image {reference}", wanted=_short(wanted_id), actual=_short(actual_id))]


def dockerfile_changed(now: str, then: str) -> list[DriftView]:
    """The first line that differs between the Dockerfile and the one the image was built from ("" if unknown)."""
    if not then or now == then:
        return []
    new, old = now.splitlines(), then.splitlines()
    at = next((n for n, (a, b) in enumerate(zip(new, old, strict=False)) if a != b), min(len(new), len(old)))
    return [
        DriftView(
            property=f"Dockerfile line {at + 1}",
            wanted=new[at] if at < len(new) else "(end)",
            actual=old[at] if at < len(old) else "(end)",
        )
    ]


def _short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:12]


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value or _ABSENT
    if not value:
        return _ABSENT
    return json.dumps(value, ensure_ascii=False)
