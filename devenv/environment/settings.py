"""devenv's own settings for an environment: devenv.yaml, over what `customizations.devenv` of image, features and
devcontainer.json say."""

from __future__ import annotations

import pathlib

from devcontainer.merge import Merged, merge
from devenv import config
from devenv.config import DevenvConfig
from devenv.environment.target import Target

TOOL = "devenv"


def of(target: Target, merged: Merged | None = None) -> DevenvConfig:
    """`merged` is None while there is no container: then images and features are not heard. Raises `ConfigError`."""
    if merged is None:
        merged = merge([target.substitution.apply_entry(entry) for entry in target.entries])
    loaded = config.read(pathlib.Path(target.local_folder))
    return config.layered(merged.customizations.get(TOOL, ()), loaded)


def seconds(duration: str | None) -> float | None:
    """`30m` as seconds; None stays None."""
    if not duration:
        return None
    unit = {"s": 1, "m": 60, "h": 3600}.get(duration[-1])
    return float(duration[:-1]) * unit if unit else float(duration)
