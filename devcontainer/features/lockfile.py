"""`devcontainer-lock.json`: what the features of a configuration resolved to, by digest (spec, *Lockfile*).

The bytes are those of the reference: keys as the configuration writes them, sorted, two spaces, a newline at the end.
Features in folders are not recorded, so a configuration without others needs no such file, and gets none.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from devcontainer import collation, javascript
from devcontainer.features.graph import InstallStep
from devcontainer.features.reference import FeatureReference, LocalReference, OciReference, TarballReference
from devcontainer.jsonc import JsoncError, JsonValue, parse
from devcontainer.problem import Problem

NAME = "devcontainer-lock.json"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


class LockfileError(ValueError):
    """A lockfile that cannot be read, or that does not agree with what was found. `message` names file or feature;
    `problem` is set where a place in the file is wrong."""

    def __init__(self, message: str, hint: str = "", problem: Problem | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problem = problem


class IntegrityError(LockfileError):
    """A feature's content is not what the lockfile says it is; `locked` and `found` are the digests."""

    def __init__(self, written: str, locked: str, found: str) -> None:
        super().__init__(
            f"the feature {written!r} is {found}, but the lockfile says {locked}",
            "whoever publishes it replaced a version, or something on the way did; "
            "if that was meant, take its entry out of the lockfile",
        )
        self.locked = locked
        self.found = found


class FrozenError(LockfileError):
    """The lockfile would change, and must not. `differences` has a line for each feature."""

    def __init__(self, message: str, differences: tuple[str, ...] = ()) -> None:
        super().__init__(message, "; ".join(differences))
        self.differences = differences


@dataclasses.dataclass(frozen=True, slots=True)
class Locked:
    """One feature. `resolved` is "registry/path@sha256:…" or the address of an archive."""

    version: str
    resolved: str
    integrity: str  # "sha256:…" of the OCI manifest, or of the archive
    depends_on: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Lockfile:
    """By the name of the feature as it was written."""

    features: Mapping[str, Locked] = dataclasses.field(default_factory=dict)

    def entry(self, written: str) -> Locked | None:
        """Also where upper and lower case differ: the specification's keys are lower case, the reference's not."""
        exact = self.features.get(written)
        if exact is not None:
            return exact
        folded = written.lower()
        return next((locked for key, locked in self.features.items() if key.lower() == folded), None)


def path(configuration: str) -> str:
    """Where the lockfile of a configuration file lies: beside it, hidden if it is."""
    folder, name = posixpath.split(configuration)
    return posixpath.join(folder, f".{NAME}" if name.startswith(".") else NAME)


def read(text: str, file: str = NAME) -> Lockfile:
    """A lockfile from its text; an empty file is an empty one. Raises LockfileError."""
    if not text.strip():
        return Lockfile()
    try:
        document = parse(text, file)
    except JsoncError as error:
        raise _unreadable(file, (error.line, error.column), "", error.message) from error
    value = document.value
    features = value.get("features", {}) if isinstance(value, dict) else None
    if not isinstance(features, dict):
        raise _unreadable(file, document.position(()), "", "must be an object with an object 'features'")
    found: dict[str, Locked] = {}
    for written, entry in features.items():
        fault = _fault(entry)
        if fault or not isinstance(entry, dict):
            raise _unreadable(file, document.key_position(("features", written)), f"features.{written}", fault)
        found[written] = _locked(entry)
    return Lockfile(found)


def write(lockfile: Lockfile) -> str:
    """The text of a lockfile, with the bytes of the reference."""
    features: dict[str, JsonValue] = {}
    for written in sorted(lockfile.features, key=collation.key):
        locked = lockfile.features[written]
        entry: dict[str, JsonValue] = {"version": locked.version} if locked.version else {}
        entry |= {"resolved": locked.resolved, "integrity": locked.integrity}
        if locked.depends_on:
            entry["dependsOn"] = list(locked.depends_on)
        features[written] = entry
    return javascript.stringify({"features": features}, indent=2) + "\n"


def from_steps(steps: Iterable[InstallStep], *, omit: Iterable[str] = ()) -> Lockfile:
    """What was installed from registries and archives. `omit`: names that the user added for this time only."""
    left_out = frozenset(omit)
    found: dict[str, Locked] = {}
    for step in steps:
        if isinstance(step.reference, LocalReference) or step.written in left_out:
            continue
        if step.digest is None:
            raise LockfileError(f"the feature {step.written!r} has no digest, so it cannot be locked")
        resolved = (
            f"{step.reference.resource}@{step.digest}"
            if isinstance(step.reference, OciReference)
            else step.reference.url
        )
        found[step.written] = Locked(step.manifest.version, resolved, step.digest, step.depends_on)
    return Lockfile(found)


def digest_for(lockfile: Lockfile | None, reference: FeatureReference) -> str | None:
    """The digest that a feature must have, None if the lockfile does not say."""
    if lockfile is None or isinstance(reference, LocalReference):
        return None
    locked = lockfile.entry(reference.written)
    if locked is None and isinstance(reference, TarballReference):
        locked = lockfile.entry(reference.url)
    return locked.integrity if locked else None


def verify(lockfile: Lockfile | None, reference: FeatureReference, digest: str) -> None:
    """Raises IntegrityError if the lockfile says another digest."""
    wanted = digest_for(lockfile, reference)
    if wanted is not None and wanted != digest:
        raise IntegrityError(reference.written, wanted, digest)


def worth_writing(lockfile: Lockfile, *, always: bool = False) -> bool:
    """Whether the file says anything. The reference writes one in any case: `always`."""
    return always or bool(lockfile.features)


def changed(existing: str | None, wanted: Lockfile, *, always: bool = False) -> bool:
    """Whether the file must be written: it is missing or has another content. Layout does not count."""
    if existing is None:
        return worth_writing(wanted, always=always)
    try:
        return read(existing) != wanted or (always and not existing.strip())
    except LockfileError:
        return True


def check_frozen(existing: str | None, wanted: Lockfile, file: str = NAME, *, always: bool = False) -> None:
    """Raises FrozenError if the file would change, LockfileError if it cannot be read."""
    if existing is None:
        if worth_writing(wanted, always=always):
            raise FrozenError(f"the lockfile {file} does not exist")
        return
    found = differences(read(existing, file), wanted)
    if found or changed(existing, wanted, always=always):
        raise FrozenError(f"the lockfile {file} does not match", found)


def differences(old: Lockfile, new: Lockfile) -> tuple[str, ...]:
    """One line for each feature that is not the same in both."""
    lines: list[str] = []
    for written in sorted({*old.features, *new.features}, key=collation.key):
        before, after = old.features.get(written), new.features.get(written)
        if before is None:
            lines.append(f"{written} is not in it")
        elif after is None:
            lines.append(f"{written} is no longer used")
        elif before != after:
            lines.append(f"{written} is {_described(after)}, locked is {_described(before)}")
    return tuple(lines)


_START_OVER = "delete the file to have it written anew"


def _described(locked: Locked) -> str:
    return f"{locked.version or 'without version'} ({locked.integrity})"


def _unreadable(file: str, at: tuple[int, int], key: str, message: str) -> LockfileError:
    problem = Problem(file, at[0], at[1], key, message, _START_OVER)
    return LockfileError(str(problem._replace(hint="")), _START_OVER, problem)


def _fault(entry: JsonValue) -> str:
    """What is wrong with an entry; "" if nothing is."""
    if not isinstance(entry, dict):
        return "must be an object"
    resolved, integrity, needed = entry.get("resolved"), entry.get("integrity"), entry.get("dependsOn", [])
    if not isinstance(entry.get("version", ""), str) or not isinstance(resolved, str) or not resolved:
        return "needs the texts 'version' and 'resolved'"
    if not isinstance(integrity, str) or not _DIGEST.fullmatch(integrity):
        return "'integrity' must be 'sha256:' and 64 hexadecimal digits"
    if not isinstance(needed, list) or not all(isinstance(item, str) for item in needed):
        return "'dependsOn' must be an array of texts"
    return ""


def _locked(entry: Mapping[str, Any]) -> Locked:
    """Of an entry without fault."""
    needed = tuple(entry.get("dependsOn", ()))
    return Locked(entry.get("version", ""), entry["resolved"], entry["integrity"], needed)
