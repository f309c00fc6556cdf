"""Another machine, and an ordinary user of this one who works on it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.command import Shell
from tests.kit.fixtures import Images
from tests.kit.outcome import Outcome
from tests.kit.project import write_project
from tests.kit.remote_host import RemoteHost, remote_host
from tests.kit.users import User
from tests.kit.waiting import eventually

SERVE = """
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


@dataclasses.dataclass(frozen=True, slots=True)
class Far:
    """A project of alice's whose folder in the container is a volume: no file of hers has to get there."""

    shell: Shell

    def devenv(self, *words: str, timeout: float = 90.0, stdin: str | None = None) -> Outcome:
        return self.shell.run("devenv", *words, timeout=timeout, stdin=stdin)

    def having(self, **env: str) -> Far:
        return Far(self.shell.having(**env))

    def put(self, name: str, text: str) -> None:
        """A file of the project, written there."""
        self.devenv("exec", "--", "sh", "-c", f"cat > {name}", stdin=text).ok()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.devenv("status", "--json").ok().json()["environment"]
        return found

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.devenv("runs", "--json").ok().json()["runs"]
        return found

    def host_port(self, port: int) -> int:
        """Where a port of the container is on this machine."""

        def seen() -> int | None:
            ports = self.devenv("ports", "--json").ok().json()["ports"]
            return next((one["host_port"] for one in ports if one["port"] == port and one["listening"]), None)

        return eventually(seen, f"port {port} is forwarded", 30)


def page(port: int) -> str:
    """What a browser on this machine gets."""
    with contextlib.closing(urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)) as answer:
        return str(answer.read().decode())


def counted(text: str) -> list[int]:
    return [int(line) for line in text.split()]


@pytest.fixture(scope="session")
def gpu_box(images: Images, alice: User) -> Iterator[RemoteHost]:
    """A machine with Debian 12's Docker, which alice reaches as `gpu-box`; `outside` is a log-in without the engine."""
    with remote_host("20", (images.python,)) as host:
        host.introduce(alice, "gpu-box")
        host.introduce(alice, "outside", login="outsider")
        yield host


@pytest.fixture(scope="session")
def other_box(images: Images, alice: User) -> Iterator[RemoteHost]:
    """A machine with Docker 26, which alice reaches as `other-box`."""
    with remote_host("26", (images.python, images.busybox)) as host:
        host.introduce(alice, "other-box")
        yield host


@pytest.fixture
def far(alice: User, images: Images, shell: Callable[..., Shell]) -> Iterator[Callable[..., Far]]:
    """`far("name")`: a new project, not brought up. Taken down where it is afterwards."""
    made: list[Far] = []

    def make(name: str, **properties: Any) -> Far:
        config = {
            "image": images.python,
            "workspaceMount": f"source=rig-far-{name},target=/workspaces/{name},type=volume",
            "workspaceFolder": f"/workspaces/{name}",
            **properties,
        }
        folder = write_project(alice.home / "far" / name, {".devcontainer.json": json.dumps(config)}, owner=alice)
        made.append(Far(shell(alice, folder)))
        return made[-1]

    yield make
    for project in made:
        project.devenv("down", "--force", "--volumes")


@pytest.fixture
def own_settings(alice: User) -> Iterator[Path]:
    """Alice's configuration folder, empty before and after."""
    folder = alice.home / ".config"
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
