"""Features that would install something else now than when the container was made: edited folders, another lockfile."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from devcontainer.features import lockfile as locks
from devcontainer.features import reference
from devcontainer.features.lockfile import LockfileError
from devcontainer.features.reference import FeatureReferenceError, LocalReference
from devenv.api.views import DriftView
from devenv.environment.records import Record
from devenv.environment.target import Target
from devenv.errors import FeatureError
from devenv.features import tree


def differences(target: Target, record: Record) -> list[DriftView]:
    """Blocking: reads small folders and the lockfile, nothing when there are no features. What cannot be read is for
    the next build to tell."""
    found = []
    for written, digest in record.local_features.items():
        now = _local_digest(target, written)
        if now and now != digest:
            found.append(DriftView(property=f"features {written}", wanted="edited files", actual="files at creation"))
    locked = _locked(target) if record.features else {}
    for written, version_and_digest in record.features.items():
        version, _, digest = version_and_digest.rpartition(" ")
        wanted = locked.get(written)
        if wanted and digest and wanted[1] != digest:
            found.append(
                DriftView(property=f"features {written}", wanted=_show(*wanted), actual=_show(version, digest))
            )
    return found


def _local_digest(target: Target, written: str) -> str:
    try:
        if isinstance(reference.parse(written), LocalReference):
            return tree.digest(pathlib.Path(target.config_folder, written), written)
    except (FeatureReferenceError, FeatureError, OSError):
        pass
    return ""


def _locked(target: Target) -> Mapping[str, tuple[str, str]]:
    path = pathlib.Path(locks.path(target.config_file))
    try:
        entries = locks.read(path.read_text(encoding="utf-8"), str(path)).features
    except (OSError, UnicodeDecodeError, LockfileError):
        return {}
    return {name: (entry.version, entry.integrity) for name, entry in entries.items()}


def _show(version: str, digest: str) -> str:
    return f"{version} ({digest.removeprefix('sha256:')[:12]})".strip()
