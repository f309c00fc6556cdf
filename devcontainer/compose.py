"""Docker Compose configurations: what a service already says, and the override file that makes it a dev container.

The project's own files stay as they are: what the dev container adds is one more file after them (spec, *Docker Compose
extensions*). It is JSON, which every Compose reads as YAML. Nothing here runs Compose or looks at a disk; the input is
what `docker compose config` prints.
"""

from __future__ import annotations

import dataclasses
import json
import posixpath
import re
from collections.abc import Mapping, Sequence

from devcontainer.jsonc import JsonValue
from devcontainer.mounts import Mount

_NOT_IN_A_NAME = re.compile(r"[^-_a-z0-9]")
_DEFAULT_FOLDER = ".devcontainer"


class ComposeError(ValueError):
    """What Compose printed is not a project, or has no such service."""


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """One service as Compose resolved it. `raw` is Compose's own object, with `$` still doubled."""

    name: str
    raw: Mapping[str, JsonValue]

    @property
    def image(self) -> str:
        value = self.raw.get("image")
        return unescaped(value) if isinstance(value, str) else ""

    @property
    def is_built(self) -> bool:
        return bool(self.raw.get("build"))

    @property
    def user(self) -> str:
        value = self.raw.get("user")
        return unescaped(value) if isinstance(value, str) else ""

    @property
    def entrypoint(self) -> tuple[str, ...] | None:
        """None: the image's own counts."""
        return _words(self.raw.get("entrypoint"))

    @property
    def command(self) -> tuple[str, ...] | None:
        return _words(self.raw.get("command"))

    @property
    def profiles(self) -> tuple[str, ...]:
        value = self.raw.get("profiles")
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()

    @property
    def network_mode(self) -> str:
        value = self.raw.get("network_mode")
        return value if isinstance(value, str) else ""

    @property
    def runs_a_provider(self) -> str:
        """The program of the host that Compose would call for this service (`provider.type`), "" for a container."""
        value = self.raw.get("provider")
        kind = value.get("type") if isinstance(value, dict) else None
        return kind if isinstance(kind, str) else ""

    def process(self, image_entrypoint: Sequence[str], image_cmd: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """(entrypoint, command) that would run. An entrypoint of the service's own drops the image's command."""
        if self.entrypoint is not None:
            return self.entrypoint, self.command or ()
        return tuple(image_entrypoint), self.command if self.command is not None else tuple(image_cmd)


@dataclasses.dataclass(frozen=True)
class Project:
    """What `docker compose config --format json` printed."""

    name: str
    services: Mapping[str, Service]
    raw: Mapping[str, JsonValue] = dataclasses.field(repr=False)

    def service(self, name: str) -> Service:
        """Raises ComposeError, which names what there is."""
        found = self.services.get(name)
        if found is None:
            raise ComposeError(f"there is no service {name!r}; the Compose files have {', '.join(self.services)}")
        return found

    def wanted(self, main: str, run_services: Sequence[str], profiles: Sequence[str]) -> list[str]:
        """The services to start: those that `runServices` names, else all whose profiles are active; always `main`."""
        if run_services:
            chosen = list(run_services)
        else:
            active = set(profiles)
            chosen = [
                service.name
                for service in self.services.values()
                if not service.profiles or "*" in active or active.intersection(service.profiles)
            ]
        return list(dict.fromkeys([*chosen, main]))


def read(text: str) -> Project:
    """Raises ComposeError when it is not what `docker compose config --format json` prints."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ComposeError(f"Compose printed no JSON: {error}") from error
    services = value.get("services") if isinstance(value, dict) else None
    if not isinstance(services, dict):
        raise ComposeError("Compose printed no services")
    found = {name: Service(name, raw if isinstance(raw, dict) else {}) for name, raw in services.items()}
    name = value.get("name")
    return Project(name if isinstance(name, str) else "", found, value)


def project_name(
    first_file: str, *, environment: str = "", dot_env: str = "", written: str = "", resolved: str = ""
) -> str:
    """The project that VS Code and the reference would use, so that each finds the other's containers.

    In order: COMPOSE_PROJECT_NAME of the `environment`, of the project's `.env`, the `name:` that a file has
    (`written`, resolved by Compose to `resolved`), else `<folder>_devcontainer` for files in `.devcontainer`, else the
    name of the first file's folder.
    """
    for given in (environment, dot_env):
        if given:
            return _name(given)
    if written:
        return _name(resolved or written)
    folder = posixpath.dirname(first_file)
    if posixpath.basename(folder) == _DEFAULT_FOLDER:
        return _name(f"{posixpath.basename(posixpath.dirname(folder))}_devcontainer")
    return _name(posixpath.basename(folder))


def _name(text: str) -> str:
    return _NOT_IN_A_NAME.sub("", text.lower())


@dataclasses.dataclass(frozen=True, slots=True)
class Override:
    """What the dev container adds to one service. None and empty values add nothing."""

    service: str
    image: str | None = None
    command: Sequence[str] | None = None  # of PID 1, entrypoint first; None keeps the service's own
    user: str | None = None
    init: bool | None = None
    privileged: bool = False
    cap_add: Sequence[str] = ()
    security_opt: Sequence[str] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    own_volumes: Mapping[str, str] = dataclasses.field(default_factory=dict)  # engine's name: target
    shared: Mapping[str, Sequence[Mount]] = dataclasses.field(
        default_factory=dict
    )  # service: volumes, by engine's name
    patches: Sequence[Mapping[str, JsonValue]] = ()  # further keys of the service, e.g. GPU reservations


def override(wanted: Override) -> dict[str, JsonValue]:
    """The override file as a value. Named volumes are declared at the top, so that Compose makes and removes them."""
    service: dict[str, JsonValue] = {}
    volumes: list[JsonValue] = []
    declared: dict[str, JsonValue] = {}
    if wanted.image is not None:
        service["image"] = wanted.image
    if wanted.command is not None:
        service["entrypoint"] = list(wanted.command)
        service["command"] = []
    if wanted.user:
        service["user"] = wanted.user
    if wanted.init is not None:
        service["init"] = wanted.init
    if wanted.privileged:
        service["privileged"] = True
    if wanted.cap_add:
        service["cap_add"] = list(wanted.cap_add)
    if wanted.security_opt:
        service["security_opt"] = list(wanted.security_opt)
    if wanted.environment:
        service["environment"] = dict(wanted.environment)
    if wanted.labels:
        service["labels"] = dict(wanted.labels)
    for mount in wanted.mounts:
        entry, volume = _volume(mount)
        volumes.append(entry)
        if mount.type == "volume" and mount.source:
            declared[mount.source] = volume
    for name, target in wanted.own_volumes.items():
        volumes.append({"type": "volume", "source": name, "target": target})
        declared[name] = {"name": name}
    if volumes:
        service["volumes"] = volumes
    for patch in wanted.patches:
        _merge(service, patch)
    services: dict[str, JsonValue] = {wanted.service: service}
    for other, mounts in wanted.shared.items():
        entries: list[JsonValue] = [_volume(mount)[0] for mount in mounts]
        declared.update({mount.source: {"name": mount.source} for mount in mounts if mount.source})
        if other == wanted.service:
            volumes += entries
            service["volumes"] = volumes
        else:
            services[other] = {"volumes": entries}
    made: dict[str, JsonValue] = {"services": services}
    if declared:
        made["volumes"] = declared
    return made


def text(value: Mapping[str, JsonValue]) -> str:
    """The override as the text of a file: JSON, with every `$` doubled, because Compose would resolve it."""
    return json.dumps(_escaped(dict(value)), indent=1, ensure_ascii=False) + "\n"


def unescaped(value: str) -> str:
    """What Compose prints has `$` doubled."""
    return value.replace("$$", "$")


def _escaped(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return value


def _merge(into: dict[str, JsonValue], patch: Mapping[str, JsonValue]) -> None:
    """Objects per key, arrays one after the other, the rest replaced: as Compose itself merges files."""
    for key, value in patch.items():
        present = into.get(key)
        if isinstance(present, dict) and isinstance(value, Mapping):
            _merge(present, value)
        elif isinstance(present, list) and isinstance(value, list):
            into[key] = [*present, *value]
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


_TRUE = (None, "true", "1")
_BIND = {"bind-propagation": "propagation"}
_VOLUME = {"volume-nocopy": "nocopy", "volume-subpath": "subpath"}
_TMPFS = {"tmpfs-size": "size", "tmpfs-mode": "mode"}


def _volume(mount: Mount) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """(an entry of the service's `volumes`, what the top level says of a named volume).

    Every option of `--mount` has its place; the reference keeps source and target only.
    """
    entry: dict[str, JsonValue] = {"type": mount.type, "target": mount.target}
    declared: dict[str, JsonValue] = {}
    nested: dict[str, dict[str, JsonValue]] = {}
    driver_options: dict[str, JsonValue] = {}
    labels: dict[str, JsonValue] = {}
    if mount.source:
        entry["source"] = mount.source
    if mount.readonly:
        entry["read_only"] = True
    for key, value in mount.options:
        if key == "consistency" and value:
            entry["consistency"] = value
        elif key in _BIND and value:
            nested.setdefault("bind", {})[_BIND[key]] = value
        elif key == "volume-nocopy":
            nested.setdefault("volume", {})["nocopy"] = value in _TRUE
        elif key in _VOLUME and value:
            nested.setdefault("volume", {})[_VOLUME[key]] = value
        elif key in _TMPFS and value:
            nested.setdefault("tmpfs", {})[_TMPFS[key]] = int(value, 8) if key == "tmpfs-mode" else value
        elif key == "volume-driver" and value:
            declared["driver"] = value
        elif key == "volume-opt" and value:
            name, _, option = value.partition("=")
            driver_options[name] = option
        elif key == "volume-label" and value:
            name, _, label = value.partition("=")
            labels[name] = label
        elif key == "external":
            declared["external"] = value in _TRUE
    entry.update(nested)
    if driver_options:
        declared["driver_opts"] = driver_options
    if labels:
        declared["labels"] = labels
    if declared.get("external"):
        declared["name"] = mount.source
    return entry, declared


def _words(value: JsonValue) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return (unescaped(value),)
    if not isinstance(value, list):
        return None
    return tuple(unescaped(item) for item in value if isinstance(item, str))
