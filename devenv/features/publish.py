"""A packed collection put into a registry as the reference does it (spec, *Distribution of features*). Blocking.

Each feature or template is an artifact of its own under the tags that its version earns; the list of all of them lies
one level above. A version that is published already is never replaced.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from devcontainer import publishing, semver
from devcontainer.features.reference import FeatureReferenceError, OciReference, collection, parse_artifact
from devcontainer.problem import Problem
from devenv.errors import ConfigError, RegistryMissing
from devenv.features.packaging import Collection, Packed
from devenv.features.sources import CONFIG_TYPE
from devenv.features.vendoring import ARCHIVE_TYPE
from devenv.oci.client import Client
from devenv.oci.digests import sha256
from devenv.oci.manifest import EMPTY_CONFIG, TITLE, Descriptor, Manifest, build

COLLECTION_TYPE = "application/vnd.devcontainers.collection.layer.v1+json"
GITHUB = "ghcr.io"
GITHUB_TYPE = "com.github.package.type"


@dataclasses.dataclass(frozen=True, slots=True)
class Published:
    """One feature or template. Without tags its version was there already."""

    id: str
    version: str
    digest: str = ""
    tags: tuple[str, ...] = ()
    legacy_ids: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `features publish` prints it."""
        if not self.tags:
            return {}
        found: dict[str, Any] = {"publishedTags": list(self.tags), "digest": self.digest, "version": self.version}
        return {**found, "publishedLegacyIds": list(self.legacy_ids)} if self.legacy_ids else found


@dataclasses.dataclass(frozen=True, slots=True)
class Publication:
    items: tuple[Published, ...]
    collection_digest: str

    def to_json(self) -> dict[str, Any]:
        return {one.id: one.to_json() for one in self.items}


def publish(
    packed: Collection, registry: str, namespace: str, client: Client, *, say: Callable[[str], None] = lambda text: None
) -> Publication:
    """Publishes everything that is new, then the list. `say` gets a line for each thing done or left.

    Raises ConfigError for names and versions that cannot be published, before anything is; and RegistryError.
    """
    named = _names(packed, registry, namespace)
    items = tuple(_item(one, named, client, say) for one in packed.packed)
    place = named[""]
    content = packed.file.read_bytes()
    layer = Descriptor(COLLECTION_TYPE, sha256(content), len(content), {TITLE: publishing.COLLECTION_FILE})
    made = build(CONFIG_TYPE, [layer], _annotations(place, "collection"))
    _push(place, made, {layer.digest: content}, [semver.LATEST], client)
    say(f"{place.resource}: the list of all {packed.kind}s")
    return Publication(items, made.digest)


def _names(packed: Collection, registry: str, namespace: str) -> dict[str, OciReference]:
    """A reference for each id and older id, "" for the list."""
    found: dict[str, OciReference] = {}
    problems = []
    try:
        found[""] = collection(registry, namespace)
    except FeatureReferenceError as error:
        raise ConfigError([Problem(f"{registry}/{namespace}", 0, 0, "", error.message, error.hint)]) from None
    for one in packed.packed:
        try:
            semver.parse(one.version)
            for name in (one.id, *one.legacy_ids):
                found[name] = parse_artifact(f"{found[''].resource}/{name}")
        except (semver.VersionError, FeatureReferenceError) as error:
            problems.append(Problem(one.archive.name, 0, 0, "", error.message, error.hint))
    if problems:
        raise ConfigError(problems)
    return found


def _item(one: Packed, named: Mapping[str, OciReference], client: Client, say: Callable[[str], None]) -> Published:
    content = one.archive.read_bytes()
    layer = Descriptor(ARCHIVE_TYPE, one.digest, len(content), {TITLE: one.archive.name})
    blobs = {one.digest: content}
    tags, digest = _under(named[one.id], one, layer, blobs, client, say)
    legacy = []
    for name in one.legacy_ids if tags else ():
        if _under(named[name], one, layer, blobs, client, say)[0]:
            legacy.append(name)
    return Published(one.id, one.version, digest, tuple(tags), tuple(legacy))


def _under(
    place: OciReference,
    one: Packed,
    layer: Descriptor,
    blobs: Mapping[str, bytes],
    client: Client,
    say: Callable[[str], None],
) -> tuple[list[str], str]:
    try:
        present = client.registry(place.registry).tags(place.repository)
    except RegistryMissing:
        present = []
    tags = semver.tags_to_publish(one.version, present)
    if not tags:
        say(f"{place.resource}: version {one.version} is published already, left as it is")
        return [], ""
    made = build(CONFIG_TYPE, [layer], publishing.registry_annotations(one.metadata) | _annotations(place, one.kind))
    _push(place, made, blobs, tags, client)
    say(f"{place.resource}: {', '.join(tags)} ({made.digest})")
    return tags, made.digest


def _push(place: OciReference, made: Manifest, blobs: Mapping[str, bytes], tags: list[str], client: Client) -> None:
    registry = client.registry(place.registry)
    for digest, content in {**blobs, sha256(EMPTY_CONFIG): EMPTY_CONFIG}.items():
        registry.push_blob(place.repository, content, digest)
    registry.push_manifest(place.repository, made, tags)


def _annotations(place: OciReference, kind: str) -> dict[str, str]:
    """GitHub shows packages by their kind; no other registry is told."""
    return {GITHUB_TYPE: f"devcontainer_{kind}"} if place.registry == GITHUB else {}
