"""Small worlds of features for tests: what lies in which registry or folder, resolved without any of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from devcontainer.features import graph, manifest, reference
from devcontainer.features.graph import Fetched, InstallStep, Resolution
from devcontainer.features.reference import LocalReference, OciReference

World = Mapping[str, Mapping[str, Any]]
"""Manifests by the name under which they are found: "./a", "ghcr.io/x/y" or "ghcr.io/x/y:1".

One with `legacyIds` has the same digest wherever it is found: it is published in several places.
"""


def digest(raw: Mapping[str, Any]) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()


def find(world: World, wanted: reference.FeatureReference) -> Fetched:
    if isinstance(wanted, LocalReference):
        raw = next(raw for name, raw in world.items() if reference.parse(name) == _like(name, wanted))
        return Fetched(manifest.from_value({"id": wanted.id, **raw}))
    if isinstance(wanted, OciReference):
        names = (f"{wanted.resource}:{wanted.reference}", wanted.resource)
        raw = next(world[name] for name in names if name in world)
        raw = {"id": wanted.name, "version": "1.0.0", **raw}
        return Fetched(
            manifest.from_value(raw), digest(raw if "legacyIds" in raw else {**raw, "from": wanted.resource})
        )
    raw = {"id": wanted.id, **world[wanted.url]}
    return Fetched(manifest.from_value(raw), digest(raw))


def resolution(world: World, features: Mapping[str, Any], override: Sequence[str] = (), **more: Any) -> Resolution:
    """Complete: everything that it wants has been provided."""
    found = Resolution(features, override_order=override, **more)
    while wanted := found.wanted():
        for one in wanted:
            found.provide(one, find(world, one))
    return found


def steps(
    world: World, features: Mapping[str, Any], override: Sequence[str] = (), **more: Any
) -> tuple[InstallStep, ...]:
    return resolution(world, features, override, **more).install_order()


def order(world: World, features: Mapping[str, Any], override: Sequence[str] = (), **more: Any) -> list[str]:
    """Names as written, in the order of installation."""
    return [step.written for step in steps(world, features, override, **more)]


def step(raw: Mapping[str, Any], given: Any = None, written: str = "./f") -> InstallStep:
    """The only step of a configuration with one feature."""
    name = reference.parse(written)
    world = {name.resource if isinstance(name, OciReference) else written: raw}
    [only] = steps(world, {written: {} if given is None else given})
    return only


def _like(name: str, wanted: LocalReference) -> LocalReference:
    return LocalReference(name, wanted.path)


__all__ = ["Fetched", "World", "digest", "find", "graph", "order", "resolution", "step", "steps"]
