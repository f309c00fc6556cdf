"""Unison, the peer of a first synchronisation: this machine's program, also in an image of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.ground import IMAGE
from tests.kit.engine import Docker

UNISON_IMAGE = "devenv-rig/unison:latest"

# Called as an ssh command is: what it says about the connection is nothing to an engine exec.
_WRAPPER = """#!/bin/sh
container=$1
while [ "$1" != unison ]; do shift; done
exec docker exec -i --user root --env UNISON=/tmp/unison "$container" "$@"
"""


def find(docker: Docker) -> str:
    """Why it cannot be had; "" when UNISON_IMAGE has it. Debian's package is installed where it is missing."""
    program = shutil.which("unison")
    if program is None:
        words = ["apt-get", "install", "--yes", "--no-install-recommends", "unison"]
        subprocess.run(words, check=False, capture_output=True, timeout=300)
        program = shutil.which("unison")
    if program is None:
        return "the package unison cannot be installed"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(Path(program).resolve(), Path(folder, "unison"))
        text = f"FROM {IMAGE}\nCOPY unison /usr/local/bin/unison\n"
        Path(folder, "Dockerfile").write_text(text)
        docker("build", "--quiet", "--network", "none", "--tag", UNISON_IMAGE, folder)
    try:
        docker("run", "--rm", UNISON_IMAGE, "unison", "-version")
    except AssertionError as error:
        return f"it does not run in the image: {error}"
    return ""


def command(folder: Path, container: str, target: str, wrapper: Path) -> list[str]:
    """Words that make `target` in the container what `folder` is; the archives must be new (UNISON, `docker rm`)."""
    wrapper.write_text(_WRAPPER)
    wrapper.chmod(0o755)
    options = ["-batch", "-silent", "-sshcmd", str(wrapper), "-ignore", "Path .devenv"]
    return ["unison", str(folder), f"ssh://{container}/{target}", *options]
