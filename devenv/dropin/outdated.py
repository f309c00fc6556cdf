"""`outdated`: which features of a configuration have newer versions than those it uses."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Mapping

from devcontainer import javascript, semver
from devcontainer.features import lockfile as locks
from devcontainer.features.lockfile import Lockfile, LockfileError
from devcontainer.features.reference import FeatureReferenceError, OciReference, parse, without_version
from devcontainer.jsonc import JsonValue
from devenv.dropin import place
from devenv.dropin.flags import Line
from devenv.dropin.log import WARNING, Log
from devenv.errors import ConfigError, DevenvError, Problem, RegistryError
from devenv.features import artifact
from devenv.oci.client import Client

_AT_ONCE = 8
_HEAD = ("Feature", "Current", "Wanted", "Latest")


@dataclasses.dataclass(frozen=True, slots=True)
class Versions:
    """Of one feature; "" where nothing is known. `current` is the locked one, else that of the next build."""

    current: str = ""
    wanted: str = ""  # the newest that the reference in the configuration can stand for
    latest: str = ""

    def to_json(self) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {
            "current": self.current,
            "wanted": self.wanted,
            "wantedMajor": _major(self.wanted),
            "latest": self.latest,
            "latestMajor": _major(self.latest),
        }
        return {key: value for key, value in found.items() if value}


def run(line: Line, log: Log) -> int:
    target = place.target(line, log)
    lockfile = read_lockfile(target.config_file)
    references = _references(target.written.features)
    with Client(dict(os.environ), note=lambda text: log.text(text, WARNING)) as client:
        found = _all(references, lockfile, client, log)
    if line.text("output-format") == "json":
        listed: dict[str, JsonValue] = {name: versions.to_json() for name, versions in found.items()}
        indent = 2 if sys.stdout.isatty() else None
        sys.stdout.write(javascript.stringify({"features": listed}, indent) + "\n")
    else:
        sys.stdout.write(_table(found))
    return 0


def read_lockfile(config_file: str) -> Lockfile | None:
    """None when there is none. Raises ConfigError for one that cannot be read."""
    file = pathlib.Path(locks.path(config_file))
    try:
        return locks.read(file.read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        return None
    except LockfileError as error:
        raise ConfigError([error.problem or Problem(str(file), 0, 0, "", error.message, error.hint)]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(file), 0, 0, "", f"cannot be read: {error}")]) from error


def _references(features: Mapping[str, JsonValue]) -> dict[str, OciReference]:
    """Those in registries: others have no versions to compare."""
    found: dict[str, OciReference] = {}
    for written in features:
        try:
            reference = parse(written)
        except FeatureReferenceError:
            continue  # told with the configuration's other problems
        if isinstance(reference, OciReference):
            found[written] = reference
    return found


def _all(
    references: Mapping[str, OciReference], lockfile: Lockfile | None, client: Client, log: Log
) -> dict[str, Versions]:
    """In the order of the configuration. A registry that cannot be asked is told, and says nothing."""

    def one(written: str) -> Versions:
        try:
            return _versions(references[written], lockfile, client)
        except RegistryError as error:
            log.text(f"{written}: {error.message}", WARNING)
            locked = lockfile.entry(written) if lockfile else None
            return Versions(locked.version, locked.version) if locked else Versions()

    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as threads:
        return dict(zip(references, threads.map(one, references), strict=True))


def _versions(reference: OciReference, lockfile: Lockfile | None, client: Client) -> Versions:
    tags = artifact.published_tags(reference, client)
    newest = semver.newest(tags)
    latest = newest.text if newest else ""
    locked = lockfile.entry(reference.written) if lockfile else None
    if reference.digest is None:
        found = semver.newest(tags, reference.tag)
        wanted = found.text if found else ""
    else:
        wanted = locked.version if locked else _published_version(reference, client)
    return Versions(locked.version if locked and locked.version else wanted, wanted, latest)


def _published_version(reference: OciReference, client: Client) -> str:
    """Of the manifest that a digest names."""
    try:
        text = artifact.describe(reference, client).metadata
        value = json.loads(text) if text else {}
    except (DevenvError, ValueError):
        return ""
    version = value.get("version") if isinstance(value, dict) else None
    return version if isinstance(version, str) else ""


def _major(version: str) -> str:
    try:
        return semver.parse(version).major if version else ""
    except semver.VersionError:
        return ""


def _table(found: Mapping[str, Versions]) -> str:
    rows = [_HEAD]
    for written, one in found.items():
        rows.append((without_version(written), one.current or "-", one.wanted or "-", one.latest or "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)
