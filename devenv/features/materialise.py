"""A resolved feature's files in a folder from which an image is built, and the digest that such a build is keyed by."""

from __future__ import annotations

import pathlib
import shutil
import tempfile

from devcontainer.features.graph import InstallStep
from devcontainer.features.manifest import FILE
from devcontainer.features.reference import LocalReference
from devenv.errors import FeatureError
from devenv.features import archive, tree

SCRIPT = "install.sh"


def materialise(step: InstallStep, folder: pathlib.Path) -> list[str]:
    """Makes `folder` (new; its parent exists) hold the feature's files; their paths.

    It appears whole or not at all. Files are 0644 or, where they were executable, 0755. Raises FeatureError, which
    names the feature and where it came from, for a missing script, an unsafe archive or a file that cannot be read.
    """
    try:
        return _materialise(step, folder)
    except OSError as error:
        raise FeatureError(
            f"the files of the feature {step.written!r} cannot be laid out in {folder}: {error.strerror or error}",
            "is the disk full, or the folder not yours?",
            details={"feature": step.written},
        ) from error


def _materialise(step: InstallStep, folder: pathlib.Path) -> list[str]:
    work = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        work.chmod(0o755)
        source = _source(step)
        if isinstance(step.reference, LocalReference):
            written = tree.copy(source, work, step.written)
        else:
            written = archive.unpack(source, work, step.written)
        for name in (FILE, SCRIPT):
            if not (work / name).is_file():
                raise FeatureError(
                    f"the feature {step.written!r} has no {name} (it came from {_origin(step)})",
                    "a feature without it cannot be installed; use another version of it",
                    details={"feature": step.written, "missing": name},
                )
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return written


def content_digest(step: InstallStep) -> str:
    """Equal when the feature's files are: a local one's are looked at, the others have a digest already."""
    if isinstance(step.reference, LocalReference):
        return tree.digest(_source(step), step.written)
    if step.digest is None:
        raise FeatureError(f"the feature {step.written!r} has no digest", details={"feature": step.written})
    return step.digest


def _source(step: InstallStep) -> pathlib.Path:
    source = pathlib.Path(step.source)
    if not step.source or not source.exists():
        raise FeatureError(
            f"the files of the feature {step.written!r} are gone ({step.source or 'they were not fetched'})",
            "try again",
            details={"feature": step.written},
        )
    return source


def _origin(step: InstallStep) -> str:
    return step.source if isinstance(step.reference, LocalReference) else f"{step.written}, {step.digest}"
