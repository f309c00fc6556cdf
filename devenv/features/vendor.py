"""Copies of features that travel with a project, in `.devcontainer/vendor`: a project that needs no network at all.

The folder is an OCI image layout (image specification, *Image Layout*), so that other tools can read and fill it too
(`skopeo`, `oras`). Its index names each reference as it stands in the configuration without its digest; archives from
web addresses are named by their address. What is there is verified by digest like everything else.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from devenv.errors import FeatureError
from devenv.features.content import ContentFolder
from devenv.oci.digests import is_digest
from devenv.oci.manifest import OCI_MANIFEST

FOLDER = "vendor"
REF_NAME = "org.opencontainers.image.ref.name"
_LAYOUT = {"imageLayoutVersion": "1.0.0"}


class Vendored(NamedTuple):
    """One entry of the index: the manifest of a feature in a registry, or an archive."""

    name: str
    digest: str
    size: int
    media_type: str = OCI_MANIFEST


class VendorFolder(ContentFolder):
    """Read at each question; a project without the folder has nothing in it."""

    def index(self) -> dict[str, Vendored]:
        """By name. Raises FeatureError when there is an index that cannot be read."""
        file = self.folder / "index.json"
        try:
            value: Any = json.loads(file.read_text(encoding="utf-8"))
            return {entry.name: entry for entry in map(_entry, value["manifests"]) if entry is not None}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = getattr(error, "strerror", None) or "it is no index of an OCI image layout"
            raise FeatureError(
                f"the vendored features in {self.folder} cannot be read: {reason}", "vendor them again, or delete it"
            ) from error

    def write(self, entries: Iterable[Vendored], source: Mapping[str, bytes]) -> list[pathlib.Path]:
        """Makes the folder hold exactly these entries; `source` has the content of every digest that they need.

        Equal input gives equal bytes. Returns the files that were written; what is no longer needed is removed.
        """
        written = []
        for digest, content in source.items():
            path = self.path(digest)
            if self.find(digest) is None:
                self.add(content)
                written.append(path)
        listed = sorted(entries)
        index = {"schemaVersion": 2, "manifests": [_listed(entry) for entry in listed]}
        for name, value in (("oci-layout", _LAYOUT), ("index.json", index)):
            text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
            place = self.folder / name
            if not place.is_file() or place.read_text(encoding="utf-8") != text:
                with self.incoming() as file:
                    file.write_text(text, encoding="utf-8")
                    file.replace(place)
                written.append(place)
        wanted = {self.path(digest) for digest in source}
        for above, _, names in os.walk(self.folder / "blobs"):
            for name in names:
                if pathlib.Path(above, name) not in wanted:
                    pathlib.Path(above, name).unlink()
        try:
            (self.folder / "incoming").rmdir()
        except OSError:
            pass  # another process is writing
        return written


def _entry(value: Any) -> Vendored | None:
    name = value.get("annotations", {}).get(REF_NAME)
    digest = value["digest"]
    if not isinstance(name, str) or not isinstance(digest, str) or not is_digest(digest):
        return None
    return Vendored(name, digest, int(value.get("size", 0)), str(value.get("mediaType", OCI_MANIFEST)))


def _listed(entry: Vendored) -> dict[str, Any]:
    return {
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "size": entry.size,
        "annotations": {REF_NAME: entry.name},
    }
