"""One published feature or template, looked at or downloaded by its name. Blocking; no cache, no lockfile."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile

from devcontainer.features.manifest import ANNOTATION
from devcontainer.features.reference import OciReference
from devenv.errors import RegistryMissing
from devenv.features import archive
from devenv.features.archive import Content
from devenv.features.sources import feature_layer
from devenv.oci.client import Client
from devenv.oci.download import Seen
from devenv.oci.manifest import Manifest


@dataclasses.dataclass(frozen=True, slots=True)
class Artifact:
    reference: OciReference
    manifest: Manifest

    @property
    def canonical_id(self) -> str:
        return f"{self.reference.resource}@{self.manifest.digest}"

    @property
    def metadata(self) -> str | None:
        """The feature's or template's own manifest (JSON text), where the publisher put it into the registry's."""
        return self.manifest.annotations.get(ANNOTATION)


def describe(reference: OciReference, client: Client) -> Artifact:
    """Raises RegistryError; FeatureError when it is neither a feature nor a template."""
    found = client.registry(reference.registry).manifest(reference.repository, reference.reference)
    feature_layer(found, reference.written)
    return Artifact(reference, found)


def published_tags(reference: OciReference, client: Client) -> list[str]:
    """In the registry's order; none for what does not exist. Raises RegistryError."""
    try:
        return client.registry(reference.registry).tags(reference.repository)
    except RegistryMissing:
        return []


def download(artifact: Artifact, client: Client, file: pathlib.Path, seen: Seen | None = None) -> None:
    """Its archive into `file` (new). Raises RegistryError."""
    reference = artifact.reference
    layer = feature_layer(artifact.manifest, reference.written)
    client.registry(reference.registry).blob(reference.repository, layer.digest, file, size=layer.size, seen=seen)


def contents(
    artifact: Artifact, client: Client, *, temporary: str | None = None, seen: Seen | None = None
) -> dict[str, Content]:
    """Its files by relative path. Raises RegistryError, FeatureError. `temporary`: where to download to."""
    with tempfile.TemporaryDirectory(prefix="devenv-", dir=temporary) as folder:
        file = pathlib.Path(folder, "archive")
        download(artifact, client, file, seen)
        return archive.contents(file, artifact.reference.written)
