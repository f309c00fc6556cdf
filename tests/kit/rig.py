"""What this machine has for the tests: the rig's folder, and one line for each missing part."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.kit import chromium, engine, podman, registry

ROOT = Path(__file__).resolve().parent.parent.parent


def state() -> Path:
    """Folder for what is built once; readable by the users that tests create, wherever the checkout lies."""
    named = os.environ.get("DEVENV_RIG_STATE")
    if named:
        return Path(named)
    if os.getuid() == 0:
        return Path("/var/lib/devenv-rig")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "devenv-rig"


def node_program(name: str) -> Path:
    """An npm package's program, as `tests/rig/clients.sh` installs it."""
    return state() / "node" / "node_modules" / ".bin" / name


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def missing(marker: str) -> str | None:
    """Why tests with this marker cannot run here, with the command that helps; None when they can."""
    if marker == "engine" and not engine.answers():
        return "no Docker engine answers: run tests/rig/engine.sh start"
    if marker == "users" and os.getuid() != 0:
        return "creating ordinary users needs root"
    if marker == "browser" and chromium.program() is None:
        return "Chromium is missing: run tests/rig/clients.sh"
    if marker == "registry":
        return registry.missing()
    if marker == "podman":
        return podman.missing()
    if marker == "node" and (shutil.which("node") is None or not node_program("devcontainer").exists()):
        return "Node.js or the npm clients are missing: run tests/rig/clients.sh"
    return None


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """One test process of this machine at a time; let go when the holder dies."""
    folder = state()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
