"""`upgrade`: the lockfile written anew, with the newest versions that the configuration allows."""

from __future__ import annotations

import os
import pathlib
import sys

from devcontainer import model
from devcontainer.features import edit
from devcontainer.features import lockfile as locks
from devcontainer.jsonc import JsoncError
from devcontainer.model import DevContainer
from devenv.atomic_file import write_atomic
from devenv.dropin import place
from devenv.dropin.flags import Line
from devenv.dropin.log import WARNING, Log
from devenv.environment.target import Target
from devenv.errors import ConfigError, NotFound, Problem
from devenv.features import fetch
from devenv.features.cache import FeatureCache
from devenv.features.fetch import Resolved


def run(line: Line, log: Log) -> int:
    """With `--feature` the configuration itself is moved to another version first; `--dry-run` changes no file."""
    target = place.target(line, log)
    config = _moved(target, line, log)
    if not config.features:
        raise NotFound(f"{target.config_file} names no features", "there is nothing to lock")
    resolved = place.wait(_resolve(target, config, log))
    for note in resolved.notes:
        log.text(note, WARNING)
    text = locks.write(resolved.lockfile)
    if line.on("dry-run"):
        sys.stdout.write(text)
        return 0
    file = pathlib.Path(locks.path(target.config_file))
    if not file.exists() and not locks.worth_writing(resolved.lockfile):
        log.text("all features lie in folders; there is nothing to lock")
        return 0
    try:
        write_atomic(file, text, mode=_mode(file))
    except OSError as error:
        raise ConfigError([Problem(str(file), 0, 0, "", f"cannot be written: {error.strerror}")]) from error
    log.text(f"wrote {file}")
    return 0


def _moved(target: Target, line: Line, log: Log) -> DevContainer:
    """The configuration, with the version that was asked for. Only the feature's name changes in the file."""
    feature, version = line.text("feature"), line.text("target-version")
    if not feature:
        return target.written
    file = pathlib.Path(target.config_file)
    text = file.read_bytes().decode("utf-8")
    try:
        moved = edit.set_version(text, feature, version)
    except JsoncError as error:
        raise ConfigError([Problem(str(file), error.line, error.column, "", error.message)]) from error
    if moved == text:
        log.text(f"{file} does not name {feature}, or has that version already", WARNING)
    elif not line.on("dry-run"):
        file.write_bytes(moved.encode("utf-8"))
        log.text(f"{feature} is {version} in {file} now")
    return model.load(moved, str(file))


async def _resolve(target: Target, config: DevContainer, log: Log) -> Resolved:
    return await fetch.resolve(
        config.features,
        configuration=pathlib.Path(target.config_file),
        workspace=pathlib.Path(target.local_folder),
        env=dict(os.environ),
        cache=FeatureCache(place.cache_folder()),
        progress=place.Told(log),
        override_order=config.override_feature_install_order,
        files=False,
        fresh=0,
    )


def _mode(file: pathlib.Path) -> int:
    """The mode that the file has, or that an editor would give a new one."""
    try:
        return file.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask
