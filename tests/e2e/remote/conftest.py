"""Another machine, and ordinary users of this one who work on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.command import Shell
from tests.kit.fixtures import Images
from tests.kit.project import write_project
from tests.kit.remote_host import RemoteHost, remote_host
from tests.kit.users import User

SERVER = """
import http.server, pathlib
pathlib.Path("index.html").write_text("served")
http.server.HTTPServer(("127.0.0.1", 8899), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
COUNT = """
import time
for i in range(100_000):
    print(i, flush=True)
    time.sleep(0.05)
"""
PROGRAMS = {"serve.py": SERVER, "count.py": COUNT}


@pytest.fixture(scope="session")
def gpu_box(images: Images, alice: User) -> Iterator[RemoteHost]:
    """A machine with Debian 12's Docker, which alice reaches as `gpu-box`; `outside` is a log-in without the engine."""
    with remote_host("20", (images.python_user,)) as host:
        host.introduce(alice, "gpu-box")
        host.introduce(alice, "outside", login="outsider")
        yield host


@pytest.fixture(scope="session")
def other_box(images: Images, alice: User) -> Iterator[RemoteHost]:
    """A machine with Docker 26, which alice reaches as `other-box`."""
    with remote_host("26", (images.python_user,)) as host:
        host.introduce(alice, "other-box")
        yield host


@pytest.fixture
def far(alice: User, images: Images, shell: Callable[..., Shell], tmp_path: Path) -> Iterator[Callable[[str], Shell]]:
    """`far("name")`: alice in a new project whose folder in the container is a volume. Taken down afterwards."""
    made: list[Shell] = []

    def make(name: str) -> Shell:
        config = {
            "image": images.python_user,
            "workspaceMount": f"source=rig-far-{name},target=/workspaces/{name},type=volume",
            "workspaceFolder": f"/workspaces/{name}",
            "onCreateCommand": "sudo -n true 2>/dev/null || true",
        }
        files = {".devcontainer.json": json.dumps(config), **PROGRAMS}
        folder = write_project(alice.home / "far" / name, files, owner=alice)
        made.append(shell(alice, folder))
        return made[-1]

    yield make
    for here in made:
        here.run("devenv", "down", "--force", "--volumes")
