"""`features package`, `features publish` and `templates publish`: a collection packed, and put into a registry."""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile

from devcontainer import javascript
from devenv.dropin.flags import Line
from devenv.dropin.log import WARNING, Log
from devenv.features.packaging import FEATURE, TEMPLATE, Collection, package


def run(line: Line, log: Log) -> int:
    kind = TEMPLATE if line.command.startswith("templates") else FEATURE
    target = pathlib.Path(line.text("target")).absolute()
    if line.command == "features package":
        output = pathlib.Path(line.text("output-folder")).absolute()
        packed = package(kind, target, output, force=line.on("force-clean-output-folder"))
        _tell(packed, log)
        return 0
    with tempfile.TemporaryDirectory(prefix="devenv-publish-") as work:
        packed = package(kind, target, pathlib.Path(work, "packed"))
        _tell(packed, log)
        return _publish(packed, line, log)


def _tell(packed: Collection, log: Log) -> None:
    for note in packed.notes:
        log.text(note, WARNING)
    for one in packed.packed:
        log.text(f"packed {one.kind} {one.id} {one.version}".rstrip())


def _publish(packed: Collection, line: Line, log: Log) -> int:
    from devenv.features.publish import publish
    from devenv.oci.client import Client

    with Client(dict(os.environ), note=lambda text: log.text(text, WARNING)) as client:
        done = publish(packed, line.text("registry"), line.text("namespace"), client, say=log.text)
    sys.stdout.write(javascript.stringify(done.to_json()) + "\n")
    return 0
