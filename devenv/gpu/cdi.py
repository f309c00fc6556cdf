"""Container Device Interface: names of devices, and the files in which vendors describe them. Pure.

A spec (YAML or JSON, CDI specification 0.3 to 1.0) says for a kind (`nvidia.com/gpu`) which devices there are and what
each one brings into a container. Here it is read for names and for the host files that it needs: a spec from before the
driver's last update names files that are gone, and the engine then cannot start the container.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NVIDIA_GPU = "nvidia.com/gpu"
AMD_GPU = "amd.com/gpu"

_VENDOR = r"[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_CLASS = r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_DEVICE = r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?"
_KIND = re.compile(rf"{_VENDOR}/{_CLASS}\Z", re.ASCII)
_LOCAL = re.compile(rf"{_DEVICE}\Z", re.ASCII)
_NAME = re.compile(rf"(?P<kind>{_VENDOR}/{_CLASS})=(?P<device>{_DEVICE})\Z", re.ASCII)


class CdiError(ValueError):
    """A text that is no CDI spec. Engines leave such a file out, so nobody must fail because of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class CdiDevice:
    """`name` is the full one. `missing` are host files that the spec needs and this machine does not have."""

    name: str
    file: str
    missing: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return self.name.partition("=")[0]

    @property
    def local(self) -> str:
        """The name within its kind: `0`, `GPU-...`, `0:1`, `all`."""
        return self.name.partition("=")[2]


@dataclasses.dataclass(frozen=True, slots=True)
class CdiDevices:
    """What the folders' specs describe. `troubles` are files that cannot be used and names that two files claim."""

    folders: tuple[str, ...] = ()
    devices: tuple[CdiDevice, ...] = ()
    troubles: tuple[str, ...] = ()

    def of(self, kind: str) -> tuple[CdiDevice, ...]:
        return tuple(device for device in self.devices if device.kind == kind)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(device.kind for device in self.devices))


@dataclasses.dataclass(frozen=True, slots=True)
class Spec:
    """One file. `needs` are the host files of each device, those that every device of the file needs included."""

    file: str
    kind: str
    needs: Mapping[str, tuple[str, ...]]


def is_name(text: str) -> bool:
    """Whether it is a full name: `vendor.com/class=device`."""
    return _NAME.match(text) is not None


def kind_of(name: str) -> str:
    return name.partition("=")[0]


def parse(text: str, file: str) -> Spec:
    """Raises `CdiError`."""
    value = _load(text, file)
    if not isinstance(value, Mapping):
        raise CdiError("is not an object")
    kind = value.get("kind")
    if not isinstance(kind, str) or not _KIND.match(kind):
        raise CdiError(f"has no valid kind ({kind!r})")
    if not isinstance(value.get("cdiVersion"), str):
        raise CdiError("has no cdiVersion")
    devices = value.get("devices")
    if not isinstance(devices, Sequence) or isinstance(devices, str) or not devices:
        raise CdiError("has no devices")
    shared = _needs(value.get("containerEdits"))
    needs: dict[str, tuple[str, ...]] = {}
    for device in devices:
        name = device.get("name") if isinstance(device, Mapping) else None
        name = str(name) if isinstance(name, int) and not isinstance(name, bool) else name  # unquoted in YAML
        if not isinstance(name, str) or not _LOCAL.match(name):
            raise CdiError(f"has a device without a valid name ({name!r})")
        if name in needs:
            raise CdiError(f"has the device {name} twice")
        needs[name] = tuple(dict.fromkeys([*shared, *_needs(device.get("containerEdits"))]))
    return Spec(file, kind, needs)


def resolve(
    folders: Sequence[str], specs: Sequence[Sequence[Spec]], present: Iterable[str], troubles: Iterable[str] = ()
) -> CdiDevices:
    """The devices that an engine finds. `specs[i]` are those of `folders[i]`; a later folder goes before an earlier
    one, and a name that two files of one folder claim is nobody's (CDI's own library, `pkg/cdi`, on precedence).

    `present`: the host files that are there, among those that the specs need.
    """
    there = frozenset(present)
    found: dict[str, CdiDevice] = {}
    problems = list(troubles)
    for of_folder in specs:
        claimed: dict[str, list[Spec]] = {}
        for spec in of_folder:
            for device in spec.needs:
                claimed.setdefault(f"{spec.kind}={device}", []).append(spec)
        for name, claimants in claimed.items():
            found.pop(name, None)
            if len(claimants) > 1:
                problems.append(
                    f"{name} is in {' and in '.join(spec.file for spec in claimants)}: engines take neither"
                )
                continue
            (spec,) = claimants
            missing = tuple(path for path in spec.needs[name.partition("=")[2]] if path not in there)
            found[name] = CdiDevice(name, spec.file, missing)
    return CdiDevices(
        tuple(folders), tuple(sorted(found.values(), key=lambda device: order(device.name))), tuple(problems)
    )


def order(name: str) -> tuple[str, tuple[tuple[bool, int, str], ...]]:
    """A key to sort full names by: digits count by value, `2` before `10`."""
    kind, _, local = name.partition("=")
    parts = [part for part in re.split(r"([0-9]+)", local) if part]
    return kind, tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)


def _load(text: str, file: str) -> Any:
    if file.endswith(".json"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CdiError(f"is not JSON: {error}") from error
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # a vendor's spec has 1,000 lines
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that is none
        raise CdiError(f"is not YAML: {' '.join(str(error).split())}") from error


def _needs(edits: Any) -> list[str]:
    """Device nodes, mounts and hooks: what has to be on the host."""
    if not isinstance(edits, Mapping):
        return []
    found: list[str] = []
    for key, places in (("deviceNodes", ("hostPath", "path")), ("mounts", ("hostPath",)), ("hooks", ("path",))):
        entries = edits.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping):
                found += [path for path in (entry.get(place) for place in places) if isinstance(path, str)][:1]
    return found
