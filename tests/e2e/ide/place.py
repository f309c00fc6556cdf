"""A project brought up for a block of tests, and the way to its debugger exactly as launch.json describes it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.daily.site import Site
from tests.kit.command import Shell
from tests.kit.dap import DapClient, Message
from tests.kit.engine import Docker, DockerFailed
from tests.kit.project import Content, devcontainer, write_project
from tests.kit.users import User

LAUNCH = ".vscode/launch.json"


@contextlib.contextmanager
def place(
    shell: Callable[..., Shell],
    user: User,
    name: str,
    image: str,
    files: Mapping[str, Content],
    *,
    up: bool = True,
    git: bool = False,
    **properties: Any,
) -> Iterator[Site]:
    """`name` is a path below the user's folder of projects; its last part is the project's name."""
    docker = Docker()
    root = user.home / "work" / name
    root.parent.mkdir(parents=True, exist_ok=True)
    for folder in (user.home / "work", root.parent):
        shutil.chown(folder, user.uid, user.gid)
    write_project(root, {**devcontainer(image, **properties), **files}, owner=user, git=git)
    site = Site(shell(user, root), docker)
    try:
        if up:
            site.devenv("up", timeout=120).ok()
        yield site
    finally:
        with contextlib.suppress(AssertionError):
            site.devenv("down", "--force", "--volumes")
        with contextlib.suppress(DockerFailed):
            docker.remove_project(root)
        shutil.rmtree(root, ignore_errors=True)


def own_name(name: str) -> str:
    """A project name that no other test process has: the debugger's port follows from it."""
    return f"{name}-{os.getpid()}"


def line_of(path: Path, text: str) -> int:
    """1-based number of the first line that contains `text`."""
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def attach_entry(site: Site) -> dict[str, Any]:
    """The attach entry of the project's launch.json, with its variables replaced as an IDE does."""
    text = site.path(LAUNCH).read_text().replace("${workspaceFolder}", str(site.folder))
    (entry,) = (item for item in json.loads(text)["configurations"] if item["request"] == "attach")
    assert isinstance(entry, dict)
    return entry


def door(site: Site) -> int:
    """The debugger's port on this host."""
    port = site.status()["debug"]["port"]
    assert isinstance(port, int)
    return port


@contextlib.contextmanager
def attached(
    site: Site, breakpoints: Mapping[str | Path, Sequence[int]] | None = None
) -> Iterator[tuple[DapClient, dict[str, list[Message]]]]:
    """A client that does what launch.json says and nothing else, and where its breakpoints are."""
    entry = attach_entry(site)
    mappings = [(item["localRoot"], item["remoteRoot"]) for item in entry.pop("pathMappings")]
    with DapClient(entry["connect"]["port"], entry["connect"]["host"]) as client:
        yield client, client.attach(breakpoints, mappings=mappings, **entry)


@contextlib.contextmanager
def debugging(site: Site, *words: str) -> Iterator[str]:
    """`devenv debug --detach WORDS`; ended when the block is left. Yields the run's id."""
    outcome = site.devenv("debug", "--detach", *words).ok()
    found = re.search(r" runs: (\S+)", outcome.out)
    assert found, outcome.describe()
    try:
        yield found[1]
    finally:
        site.devenv("kill", found[1])
