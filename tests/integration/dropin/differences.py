"""Where the drop-in's JSON differs from the reference's on purpose, each with its reason: the one list of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devcontainer import identity

NOTHING_ASKED = {"cpus": None, "memory": "-Infinity", "storage": "-Infinity"}
"""`hostRequirements` of the reference where no metadata entry exists at all: the maximum of no numbers, printed."""

CACHE = "an own folder for the features' files: `dstFolder` and `cachePath` name it"
DEVCONTAINER_ID = "${devcontainerId} is known as soon as the labels are; the reference leaves it as written till then"


def without_defects(theirs: dict[str, Any]) -> dict[str, Any]:
    """The reference's result without what it prints by mistake."""
    merged = theirs.get("mergedConfiguration")
    if merged and merged.get("hostRequirements") == NOTHING_ASKED:
        del merged["hostRequirements"]
    return theirs


def with_id(theirs: dict[str, Any], folder: Path, config_file: Path) -> dict[str, Any]:
    """The reference's result with DEVCONTAINER_ID resolved. (In the metadata of features both leave it.)"""
    known = identity.devcontainer_id(identity.id_labels(str(folder), str(config_file)))
    return {
        key: value
        if key == "featuresConfiguration"
        else json.loads(json.dumps(value).replace("${devcontainerId}", known))
        for key, value in theirs.items()
    }


def without_places(result: dict[str, Any]) -> dict[str, Any]:
    """Either's result with the folders named in CACHE taken out."""
    features = result.get("featuresConfiguration")
    if features:
        features["dstFolder"] = ""
        for feature_set in features["featureSets"]:
            for feature in feature_set["features"]:
                feature["cachePath"] = ""
    return result


def without_null(inside: dict[str, str]) -> dict[str, str]:
    """The environment in a container, without variables that are `null` in `remoteEnv`: by the specification they are
    unset; the reference sets them to the word."""
    return {key: value for key, value in inside.items() if value != "null"}


ENGINE_SHM = 64 * 1024**2

HOST_CONFIG: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "Mounts": ("devenv has two of its own; what is really mounted is compared elsewhere", lambda mine, theirs: True),
    "Binds": (
        "Compose's order is a matter of chance",
        lambda mine, theirs: sorted(mine or []) == sorted(theirs or []),
    ),
    "Init": ("an init reaps what runs leave behind, where nobody says otherwise", lambda mine, theirs: not theirs),
    "ShmSize": (
        "workers that load data need more than the engine gives, where nobody says otherwise",
        lambda mine, theirs: theirs == ENGINE_SHM,
    ),
    "Ulimits": (
        "limits that training needs beside those that are asked for",
        lambda mine, theirs: all(one in mine for one in theirs or []),
    ),
}
"""Of the engine's record of a container: why it differs, and how far it may."""


def of_hosts(mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs in `HostConfig` without a reason: {key: (ours, theirs)}."""
    return {
        key: (mine.get(key), theirs.get(key))
        for key in sorted({*mine, *theirs})
        if mine.get(key) != theirs.get(key)
        and not (key in HOST_CONFIG and HOST_CONFIG[key][1](mine.get(key), theirs.get(key)))
    }
