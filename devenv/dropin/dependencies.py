"""`features resolve-dependencies`: what a configuration's features depend on, and the order they are installed in."""

from __future__ import annotations

import os
import pathlib
import sys

from devcontainer import javascript
from devcontainer.features import report
from devenv.dropin import place
from devenv.dropin.flags import Line
from devenv.dropin.log import WARNING, Log
from devenv.errors import UsageError
from devenv.features import fetch
from devenv.features.cache import FeatureCache


def run(line: Line, log: Log) -> int:
    target = place.target(line, log)
    if not target.config.features:
        raise UsageError(f"{target.config_file} names no features", "there is nothing to resolve")
    resolved = place.wait(
        fetch.resolve(
            target.written.features,
            configuration=pathlib.Path(target.config_file),
            workspace=pathlib.Path(target.local_folder),
            env=dict(os.environ),
            cache=FeatureCache(place.cache_folder()),
            progress=place.Told(log),
            override_order=target.written.override_feature_install_order,
            files=False,
            fresh=0,
        )
    )
    for note in resolved.notes:
        log.text(note, WARNING)
    sys.stdout.write(report.graph(resolved.resolution.graph(), resolved.resolution.priority) + "\n")
    sys.stdout.write(javascript.stringify(report.install_order(resolved.steps), indent=2) + "\n")
    return 0
