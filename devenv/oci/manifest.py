"""Manifests as records: the exact bytes, their digest, and what is in them. Pure."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from devenv.oci.digests import is_digest, sha256

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ACCEPTED = f"{OCI_MANIFEST}, {DOCKER_MANIFEST};q=0.5"
TITLE = "org.opencontainers.image.title"
EMPTY_CONFIG = b"{}"


class Descriptor(NamedTuple):
    """A blob as a manifest names it."""

    media_type: str
    digest: str
    size: int  # bytes
    annotations: Mapping[str, str] = {}

    @property
    def title(self) -> str:
        return self.annotations.get(TITLE, "")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """`raw` is what the registry keeps: its digest is the artifact's identity, so it is never written anew."""

    raw: bytes = dataclasses.field(repr=False)
    digest: str
    media_type: str = OCI_MANIFEST

    @functools.cached_property
    def value(self) -> dict[str, Any]:
        """The JSON object. Raises ValueError when it is none."""
        value = json.loads(self.raw)
        if not isinstance(value, dict):
            raise ValueError("the manifest is not an object")
        return value

    @property
    def annotations(self) -> dict[str, str]:
        return _texts(self.value.get("annotations"))

    @property
    def config(self) -> Descriptor | None:
        value = self.value.get("config")
        return _descriptor(value) if isinstance(value, dict) else None

    @property
    def layers(self) -> list[Descriptor]:
        """Raises ValueError for a layer without a usable digest and size."""
        value = self.value.get("layers")
        return [_descriptor(one) for one in value] if isinstance(value, list) else []


def build(config_type: str, layers: Sequence[Descriptor], annotations: Mapping[str, str]) -> Manifest:
    """A manifest of an artifact with an empty configuration object, keys in the reference's order."""
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": config_type, "digest": sha256(EMPTY_CONFIG), "size": len(EMPTY_CONFIG)},
        "layers": [
            {
                "mediaType": layer.media_type,
                "digest": layer.digest,
                "size": layer.size,
                "annotations": dict(layer.annotations),
            }
            for layer in layers
        ],
    }
    if annotations:
        value["annotations"] = dict(annotations)
    raw = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Manifest(raw, sha256(raw))


def _descriptor(value: Any) -> Descriptor:
    digest = value.get("digest") if isinstance(value, dict) else None
    size = value.get("size") if isinstance(value, dict) else None
    if not isinstance(digest, str) or not is_digest(digest) or not isinstance(size, int) or size < 0:
        raise ValueError("the manifest names a blob without a usable digest and size")
    return Descriptor(str(value.get("mediaType", "")), digest, size, _texts(value.get("annotations")))


def _texts(value: Any) -> dict[str, str]:
    return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}
