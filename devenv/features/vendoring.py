"""Filling a project's vendored copies from a resolution, so that the next machine needs no network."""

from __future__ import annotations

import pathlib

from devcontainer.features.reference import LocalReference, OciReference
from devenv.errors import FeatureError
from devenv.features import tree
from devenv.features.cache import FeatureCache
from devenv.features.fetch import Resolved
from devenv.features.sources import feature_layer
from devenv.features.vendor import FOLDER, Vendored, VendorFolder
from devenv.oci.digests import sha256
from devenv.oci.manifest import EMPTY_CONFIG, Manifest

ARCHIVE_TYPE = "application/vnd.devcontainers.layer.v1+tar"


def vendor(resolved: Resolved, workspace: pathlib.Path, cache: FeatureCache) -> list[pathlib.Path]:
    """Makes `.devcontainer/vendor` hold what these steps need, and nothing else; the files that were written.

    `resolved` has files (see `fetch.resolve`) and was made with this cache. Blocking.
    """
    place = VendorFolder(workspace / tree.FOLDER / FOLDER)
    entries: list[Vendored] = []
    contents: dict[str, bytes] = {}
    for step in resolved.steps:
        if isinstance(step.reference, LocalReference):
            continue
        files = pathlib.Path(step.source).read_bytes()
        if not isinstance(step.reference, OciReference):
            contents[sha256(files)] = files
            entries.append(Vendored(step.reference.url, sha256(files), len(files), ARCHIVE_TYPE))
            continue
        digest = step.digest or ""
        raw = place.read(digest) or cache.read(digest)
        if raw is None:
            raise FeatureError(f"the manifest of {step.written!r} is gone from the cache", "try again")
        manifest = Manifest(raw, digest)
        contents[digest] = raw
        contents[feature_layer(manifest, step.written).digest] = files
        if manifest.config is not None and manifest.config.digest == sha256(EMPTY_CONFIG):
            contents[manifest.config.digest] = EMPTY_CONFIG  # a layout holds everything that its manifests name
        version = f"@{digest}" if step.reference.digest else f":{step.reference.tag}"
        entries.append(Vendored(step.reference.resource + version, digest, len(raw)))
    return place.write(dict.fromkeys(entries), contents)
