"""What tools print about resolved features, in the shapes of the reference's JSON and its picture of the graph."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from devcontainer import javascript
from devcontainer.features.graph import InstallStep
from devcontainer.features.order import Node, is_named_by, same
from devcontainer.features.reference import FeatureReference, LocalReference, OciReference, without_version
from devcontainer.jsonc import JsonValue


def install_order(steps: Iterable[InstallStep]) -> dict[str, JsonValue]:
    """`{"installOrder": [{"id", "options"}]}` of `features resolve-dependencies`."""
    return {"installOrder": [{"id": _pinned(step), "options": step.given} for step in steps]}


def features_configuration(
    steps: Iterable[InstallStep], destination: str, local_path: Callable[[LocalReference], str]
) -> dict[str, JsonValue]:
    """`featuresConfiguration` of `read-configuration`: a set for each step, in the order of installation.

    `destination` is the folder in which the features' files are laid out for a build, each in a folder of its own.
    """
    return {
        "featureSets": [_feature_set(step, destination, local_path) for step in steps],
        "dstFolder": destination,
    }


def graph(nodes: Sequence[Node], override_priority: Callable[[Node], int] = lambda node: 0) -> str:
    """The graph as Mermaid text: `-->` for what must come before, `-.->` for what should."""
    lines = ["flowchart"]
    seen: set[int] = set()
    for node in nodes:
        if node.by_user:
            lines.append(_label(node, override_priority))
            lines += _edges(node, nodes, override_priority, seen)
    return "\n".join(lines) + "\n"


def _edges(node: Node, nodes: Sequence[Node], priority: Callable[[Node], int], seen: set[int]) -> list[str]:
    if id(node) in seen:
        return []
    seen.add(id(node))
    lines: list[str] = []
    for needed in node.depends_on:
        for other in nodes:
            if same(other, needed):
                lines.append(f"{_label(node, priority)} --> {_label(other, priority)}")
                lines += _edges(other, nodes, priority, seen)
    for reference in node.installs_after:
        lines += [
            f"{_label(node, priority)} -.-> {_label(other, priority)}"
            for other in nodes
            if is_named_by(other, reference)
        ]
    return lines


def _label(node: Node, priority: Callable[[Node], int]) -> str:
    written = node.reference.written
    name = hashlib.sha256(javascript.stringify([written, node.given, node.digest]).encode()).hexdigest()[:6]
    aliases = f"<br>aliases: {', '.join(node.manifest.aliases)}" if node.manifest.aliases else ""
    return f"{name}[{written}<br/><{priority(node)}>{aliases}]"


def _pinned(step: InstallStep) -> str:
    found = step.reference
    return f"{found.resource}@{step.digest}" if isinstance(found, OciReference) else step.written


def _feature_set(
    step: InstallStep, destination: str, local_path: Callable[[LocalReference], str]
) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {
        "sourceInformation": _source(step, local_path),
        "features": [_feature(step, destination)],
        "internalVersion": "2",
    }
    if step.digest:
        found["computedDigest"] = step.digest
    return found


def _feature(step: InstallStep, destination: str) -> dict[str, JsonValue]:
    feature: dict[str, JsonValue] = dict(step.manifest.raw)
    feature.setdefault("id", step.consecutive_id.rpartition("_")[0])
    used: dict[str, JsonValue] = {"included": True, "value": step.given}
    if not isinstance(step.reference, OciReference):
        feature.setdefault("name", step.written)
        used = {"value": step.given, "included": True}
    return {
        **feature,
        **used,
        "cachePath": f"{destination}/{step.consecutive_id}",
        "consecutiveId": step.consecutive_id,
    }


def _source(step: InstallStep, local_path: Callable[[LocalReference], str]) -> dict[str, JsonValue]:
    found: FeatureReference = step.reference
    if isinstance(found, LocalReference):
        return {"type": "file-path", "resolvedFilePath": local_path(found), "userFeatureId": step.written}
    if not isinstance(found, OciReference):
        return {"type": "direct-tarball", "tarballUri": found.url, "userFeatureId": step.written}
    return {
        "type": "oci",
        "manifest": dict(step.oci_manifest or {}),
        "manifestDigest": step.digest,
        "featureRef": _feature_ref(found),
        "userFeatureId": step.written,
        "userFeatureIdWithoutVersion": without_version(step.written),
    }


def _feature_ref(found: OciReference) -> dict[str, JsonValue]:
    host = found.registry.partition(":")[0]
    return {
        "scheme": "http" if host == "localhost" else "https",
        "id": found.name,
        "owner": found.repository.partition("/")[0],
        "namespace": found.namespace,
        "registry": found.registry,
        "resource": found.resource,
        "path": found.repository,
        "version": found.reference,
        **({"digest": found.digest} if found.digest else {"tag": found.tag}),
    }
