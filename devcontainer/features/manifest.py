"""A `devcontainer-feature.json` as a typed, frozen view over the value that was written.

`load` and `from_value` never raise for bad content: what is wrong is in `problems`. A feature is somebody else's file,
published and not to be changed by who uses it; so only what makes it unusable is an error, all else a warning.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from devcontainer import checks, lifecycle, manifests, mounts, options
from devcontainer.checks import Check, Issue
from devcontainer.features import reference
from devcontainer.jsonc import JsonValue, Path
from devcontainer.manifests import Manifest
from devcontainer.options import Option as Option
from devcontainer.problem import Severity
from devcontainer.variables import Substitution, VariableError

FILE = "devcontainer-feature.json"
ANNOTATION = "dev.containers.metadata"
"""The annotation of an OCI manifest that holds the same object, so that a graph needs no archive."""

_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


@dataclasses.dataclass(frozen=True)
class FeatureManifest(Manifest):
    """`raw` is the object as written, with older keys moved below customizations.vscode."""

    file: str = FILE

    @property
    def plain_id(self) -> str:
        """The id if it can be part of a file name, else "" (an id is somebody else's text)."""
        return self.id if _PLAIN_ID.fullmatch(self.id) else ""

    @property
    def installs_after(self) -> tuple[str, ...]:
        """Features that come first if they are installed at all."""
        return self.texts("installsAfter")

    @property
    def depends_on(self) -> Mapping[str, JsonValue]:
        """Features that must be installed before, with their options."""
        value = self.raw.get("dependsOn")
        return value if isinstance(value, dict) else {}

    @property
    def legacy_ids(self) -> tuple[str, ...]:
        return self.texts("legacyIds")

    @property
    def current_id(self) -> str:
        """The present id of a feature that was published under an old one as well."""
        return self.text("currentId")

    @property
    def aliases(self) -> tuple[str, ...]:
        """All ids that mean this feature, the present one first."""
        present = self.current_id or self.id
        return ((present,) if present else ()) + self.legacy_ids

    @property
    def deprecated(self) -> bool:
        return self.raw.get("deprecated") is True

    @property
    def renamed_to(self) -> str:
        """The present id, if this was published under an old one."""
        return self.current_id if self.legacy_ids and self.current_id != self.id else ""

    @property
    def container_env(self) -> Mapping[str, str]:
        """Variables of the image from this feature on, its own script included."""
        value = self.raw.get("containerEnv")
        return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}


def load(text: str, file: str = FILE) -> FeatureManifest:
    """Read a manifest. `file` names it in problems; nothing is opened."""
    return _modern(manifests.load(FeatureManifest, text, file, issues))


def from_value(raw: JsonValue, file: str = FILE) -> FeatureManifest:
    """The manifest that an annotation holds; its problems have no position."""
    return _modern(manifests.from_value(FeatureManifest, raw, file, issues))


def issues(raw: Mapping[str, JsonValue]) -> Iterator[Issue]:
    """All that is wrong with a manifest; only what cannot be worked with is an error."""
    yield from _ALL(dict(raw), ())
    yield from manifests.missing_issues(raw, "feature")
    for key, value in raw.items():
        try:
            Substitution(local_env={}, container_env={}).apply(value)
        except VariableError as error:
            yield Issue((key,), str(error))
    given = raw.get("id")
    if isinstance(given, str) and given and not _PLAIN_ID.fullmatch(given):
        hint = "letters, digits, '.', '_' and '-'"
        yield Issue(("id",), f"{given!r} cannot name a folder", hint, Severity.WARNING)
    after = raw.get("installsAfter")
    for index, written in enumerate(after if isinstance(after, list) else ()):
        yield from _reference_issues(written, ("installsAfter", index), Severity.WARNING, at_key=False)
    needed = raw.get("dependsOn")
    for written in needed if isinstance(needed, dict) else ():
        yield from _reference_issues(written, ("dependsOn", written), Severity.ERROR, at_key=True)


def _feature_value(value: JsonValue) -> Check | None:
    return checks.anything if isinstance(value, dict | str | bool) else None


def _reference_issues(value: JsonValue, path: Path, severity: Severity, *, at_key: bool) -> Iterator[Issue]:
    if not isinstance(value, str):
        return
    try:
        reference.parse(value)
    except reference.FeatureReferenceError as error:
        yield Issue(path, error.message, error.hint, severity, at_key)


_flag = options.lenient(checks.boolean)
_command = checks.by_error(lifecycle.parse, lifecycle.LifecycleError)

_ALL = checks.fields(
    {
        **manifests.FIELDS,
        "installsAfter": manifests.text_list,
        "dependsOn": checks.mapping(checks.either("an object, a text or true/false", _feature_value)),
        "legacyIds": manifests.text_list,
        "currentId": manifests.text,
        "deprecated": _flag,
        "containerEnv": checks.mapping(checks.text),
        "init": _flag,
        "privileged": _flag,
        "capAdd": manifests.text_list,
        "securityOpt": manifests.text_list,
        "mounts": checks.array(checks.by_error(mounts.parse, mounts.MountError)),
        "entrypoint": checks.text,
        "customizations": checks.mapping(checks.anything),
        **{stage.value: _command for stage in lifecycle.CONTAINER_STAGES},
        "extensions": manifests.text_list,
        "settings": options.lenient(checks.mapping(checks.anything)),
    }
)


def _modern(manifest: FeatureManifest) -> FeatureManifest:
    """`extensions` and `settings` of before customizations, where they were read by VS Code alone."""
    raw = manifest.raw
    if not (raw.get("extensions") or raw.get("settings")):
        return manifest
    moved = dict(raw)
    customizations = moved.get("customizations")
    customizations = dict(customizations) if isinstance(customizations, dict) else {}
    vscode = customizations.get("vscode")
    vscode = dict(vscode) if isinstance(vscode, dict) else {}
    extensions, settings = moved.pop("extensions", None), moved.pop("settings", None)
    if isinstance(extensions, list):
        present = vscode.get("extensions")
        vscode["extensions"] = [*(present if isinstance(present, list) else []), *extensions]
    if isinstance(settings, dict):
        present = vscode.get("settings")
        vscode["settings"] = {**settings, **(present if isinstance(present, dict) else {})}
    moved["customizations"] = {**customizations, "vscode": vscode}
    return dataclasses.replace(manifest, raw=moved)
