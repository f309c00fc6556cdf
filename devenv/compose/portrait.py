"""What the Compose files say of the services, kept so that an edit can be shown: of the main one property by property,
of the others as a whole.

Values of environment and build arguments are kept as digests: they may be secrets.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence

from devcontainer.compose import Service
from devcontainer.jsonc import JsonValue
from devenv.api.views import DriftView

_NAMES = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_DIGESTED = ("environment", "build.args")
_ABSENT = "(none)"
_OTHER = "/"  # begins the key of another service; no property of one does


def stamp(files: Sequence[str], env: Mapping[str, str]) -> str:
    """Changes when a file changes, or a variable that one of them names: what Compose says is asked again only then."""
    digest = hashlib.sha256()
    names: set[str] = {"COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_FILE"}
    for file in files:
        try:
            content = pathlib.Path(file).read_bytes()
        except OSError:
            content = b"\0missing"
        digest.update(file.encode("utf-8", "surrogateescape") + b"\0" + content + b"\0")
        names.update(_NAMES.findall(content.decode("utf-8", "replace")))
    for name in sorted(names):
        digest.update(f"{name}={env.get(name)!r}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def portrait(service: Service) -> dict[str, str]:
    """Dotted key to JSON text, two levels deep where the second level has names of its own."""
    found: dict[str, str] = {}
    for key, value in service.raw.items():
        if value is None or value == {} or value == []:
            continue
        if isinstance(value, dict) and key in ("environment", "build", "labels", "deploy"):
            for name, inner in value.items():
                _add(found, f"{key}.{name}", inner, secret=key in _DIGESTED)
        else:
            _add(found, key, value)
    return dict(sorted(found.items()))


def others(services: Iterable[Service]) -> dict[str, str]:
    """The services beside the main one."""
    found = {_OTHER: ""}
    for service in services:
        found[_OTHER + service.name] = _digest(json.dumps(service.raw, sort_keys=True))
    return found


def other_names(then: Mapping[str, str]) -> list[str]:
    """The services that a portrait has beside the main one."""
    return [key.removeprefix(_OTHER) for key in then if key.startswith(_OTHER) and key != _OTHER]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _add(found: dict[str, str], key: str, value: JsonValue, *, secret: bool = False) -> None:
    if key in _DIGESTED and isinstance(value, dict):
        for name, inner in value.items():
            _add(found, f"{key}.{name}", inner, secret=True)
        return
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    found[key] = _digest(text) if secret else text


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> list[DriftView]:
    """Empty `then`: nothing was kept."""
    if not then:
        return []
    found = []
    for key in sorted({*then, *now}):
        if then.get(key) == now.get(key):
            continue
        if key.startswith(_OTHER):
            if _OTHER in then:
                wanted = _ABSENT if key not in now else "(edited)" if key in then else "(in the files)"
                actual = "(as made)" if key in then else _ABSENT
                found.append(DriftView(property=f"service {key.removeprefix(_OTHER)}", wanted=wanted, actual=actual))
            continue
        if key.startswith(tuple(f"{name}." for name in _DIGESTED)):
            wanted = _ABSENT if key not in now else "(another value)" if key in then else "set"
            actual = _ABSENT if key not in then else "(value at creation)" if key in now else "set"
        else:
            wanted, actual = now.get(key, _ABSENT), then.get(key, _ABSENT)
        found.append(DriftView(property=f"service {key}", wanted=wanted, actual=actual))
    return found
