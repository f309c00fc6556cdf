"""What a collection of features or templates is published with: names, annotations, the list of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from devcontainer import javascript
from devcontainer.features import reference
from devcontainer.features.manifest import ANNOTATION
from devcontainer.jsonc import JsonValue

COLLECTION_FILE = "devcontainer-collection.json"
SOURCE = "devcontainer-cli"
"""Which kind of tool packed a collection; readers know this word."""

Raw = Mapping[str, JsonValue]


def archive_name(kind: str, identity: str) -> str:
    """The file that one of a collection is packed into; `kind` is "feature" or "template"."""
    return f"devcontainer-{kind}-{identity}.tgz"


def manifest_name(kind: str) -> str:
    return f"devcontainer-{kind}.json"


def collection_text(kind: str, manifests: Iterable[Raw]) -> str:
    """The content of COLLECTION_FILE."""
    listed: list[JsonValue] = [dict(raw) for raw in manifests]
    return javascript.stringify({"sourceInformation": {"source": SOURCE}, f"{kind}s": listed}, indent=4)


def registry_annotations(raw: Raw) -> dict[str, str]:
    """The annotations of the manifest in the registry."""
    return {ANNOTATION: javascript.stringify(dict(raw))}


def published_feature(raw: Raw) -> dict[str, JsonValue]:
    """The manifest as it is packed: a feature with older ids says which one is its present one."""
    return {**raw, "currentId": raw["id"]} if raw.get("legacyIds") and "id" in raw else dict(raw)


def published_template(raw: Raw, configuration: Raw, files: Sequence[str]) -> dict[str, JsonValue]:
    """The manifest as it is packed: what it is made from, its files by relative path, the features it uses.

    `configuration` is its devcontainer.json. Raises ValueError if that says neither image, Dockerfile nor Compose.
    """
    found: dict[str, JsonValue] = {**raw, "type": _kind(configuration), "files": list(files), "fileCount": len(files)}
    found["featureIds"] = list(_feature_ids(configuration))
    paths = raw.get("optionalPaths")
    if isinstance(paths, list):
        found["optionalPaths"] = [_lone_file(path, files) if isinstance(path, str) else path for path in paths]
    return found


def manifest_text(raw: Raw) -> str:
    """A manifest that publishing has changed, as text."""
    return javascript.stringify(dict(raw), indent=4)


def _kind(configuration: Raw) -> str:
    build = configuration.get("build")
    if "image" in configuration:
        return "image"
    if "dockerFile" in configuration or (isinstance(build, dict) and "dockerfile" in build):
        return "dockerfile"
    if "dockerComposeFile" in configuration:
        return "dockerCompose"
    raise ValueError(
        "the template's devcontainer.json says neither 'image' nor 'build.dockerfile' nor 'dockerComposeFile'"
    )


def _feature_ids(configuration: Raw) -> Iterable[str]:
    """Those in registries, without version."""
    features = configuration.get("features")
    for written in features if isinstance(features, dict) else ():
        try:
            yield reference.parse_artifact(written).resource
        except reference.FeatureReferenceError:
            continue


def _lone_file(path: str, files: Sequence[str]) -> str:
    """A folder with one file in it is that file."""
    if not path.endswith("/*") or len(path) < 3:
        return path
    inside = [file for file in files if file.startswith(path[:-1])]
    return inside[0] if len(inside) == 1 else path
