"""Real Jupyter and TensorBoard in a container, reached through the forward only."""

from __future__ import annotations

import asyncio
import os
import pathlib
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import pytest

from devenv.config import DevenvConfig, ServiceConfig, ServiceKind
from devenv.engine.docker_adapter import DockerEngine
from devenv.errors import DevenvError, NotFound
from devenv.forward.forwarder import Forwarder
from devenv.forward.settings import ForwardSettings
from devenv.link.dial import open_link
from devenv.link.port import Link
from devenv.runs.workspace import WorkspacePaths
from devenv.services.service_book import ServiceBook
from tests.kit.engine import Docker
from tests.kit.fixtures import Images

pytestmark = pytest.mark.engine

WORKSPACE = WorkspacePaths("/nowhere", "/tmp")


class Probe:
    python = "/opt/venv/bin/python"
    shell = "/bin/bash"
    env = {"PATH": "/opt/venv/bin:/usr/bin:/bin", "HOME": "/root"}


class Site:
    def __init__(self, link: Link, folder: pathlib.Path) -> None:
        self.link = link
        self.folder = folder
        self.book = ServiceBook(folder / "secrets.json")
        self.forwarder = Forwarder("key", folder / "ports.json", ForwardSettings(), time.monotonic, lambda: None)
        self.config = DevenvConfig()

    async def find(self, **services: ServiceConfig) -> None:
        self.config = DevenvConfig(services=services)
        await self.book.find(self.config, self.link, Probe(), WORKSPACE)

    def view(self, name: str) -> Any:
        return next(view for view in self.book.views() if view.name == name)


@pytest.fixture
async def site(engine: Docker, images: Images, tmp_path: pathlib.Path) -> AsyncIterator[Site]:
    docker = await DockerEngine.connect(dict(os.environ))
    with engine.container(images.torch, "--init") as identity:
        container = await docker.inspect(identity)
        assert container is not None
        link = await open_link(docker, container, user="", link_dir=None)
        made = Site(link, tmp_path)
        await made.forwarder.set_link(link)
        try:
            yield made
        finally:
            await made.forwarder.close()
            await link.close()
            await docker.close()


async def fetch(url: str) -> tuple[int, str]:
    def work() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, ""

    return await asyncio.to_thread(work)


async def processes(link: Link) -> str:
    script = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f 2>/dev/null; echo; done"
    channel = await link.spawn(["sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, cwd="/")
    out = b""
    while (received := await channel.recv()) is not None:
        out += received[1] if received[0] == 1 else b""
    return out.decode("utf-8", "replace")


async def test_jupyter_is_found_started_and_kept_behind_its_token(site: Site) -> None:
    await site.find()
    found = site.view("jupyter")
    assert (found.state, found.declared, found.url) == ("stopped", False, "")
    view = await site.book.start("jupyter", site.link, site.forwarder)
    assert (view.state, view.port) == ("running", 8888)
    assert view.url.startswith("http://127.0.0.1:")
    token = view.secret_url.partition("token=")[2]
    assert len(token) >= 32
    assert "token" not in view.url

    api = view.url.removesuffix("lab") + "api/contents"
    assert (await fetch(api))[0] == 403
    status, body = await fetch(f"{api}?token={token}")
    assert status == 200
    assert '"content"' in body
    assert token not in await processes(site.link)
    record = await site.link.request("runs.get", run=view.run)
    assert token not in str(record)
    assert (site.folder / "secrets.json").stat().st_mode & 0o777 == 0o600

    # A new supervisor finds it again.
    again = ServiceBook(site.folder / "secrets.json")
    await again.find(site.config, site.link, Probe(), WORKSPACE, site.forwarder)
    (adopted,) = [view for view in again.views() if view.kind == "jupyter"]
    assert adopted == view
    assert await again.start("jupyter", site.link, site.forwarder) == view

    await site.book.stop("jupyter", site.link)
    stopped = site.view("jupyter")
    assert (stopped.state, stopped.url, stopped.run) == ("stopped", "", None)
    restarted = await site.book.start("jupyter", site.link, site.forwarder)
    assert restarted.secret_url == view.secret_url  # same address, same token: bookmarks and kernels lists stay good
    assert restarted.run != view.run
    await site.book.stop("jupyter", site.link)


async def test_tensorboard_and_an_own_service_side_by_side(site: Site) -> None:
    await site.find(
        board=ServiceConfig(kind=ServiceKind.TENSORBOARD, logdir="logs", autostart=True),
        files=ServiceConfig(kind=ServiceKind.COMMAND, command="exec python -m http.server 8123", port=8123),
        broken=ServiceConfig(kind=ServiceKind.COMMAND, command="echo no such model >&2; exit 7", port=9000),
        other=ServiceConfig(kind=ServiceKind.TENSORBOARD),
    )
    assert site.book.autostart() == ["board"]
    board, files = await asyncio.gather(
        site.book.start("board", site.link, site.forwarder), site.book.start("files", site.link, site.forwarder)
    )
    assert (board.state, files.state) == ("running", "running")
    assert (await fetch(board.url))[0] == 200
    status, body = await fetch(files.url)
    assert (status, "Directory listing" in body) == (200, True)
    # The same default port: the second one takes the next.
    other = await site.book.start("other", site.link, site.forwarder)
    assert (board.port, other.port) == (6006, 6007)

    with pytest.raises(DevenvError, match="broken ended with exit code 7") as error:
        await site.book.start("broken", site.link, site.forwarder)
    assert "no such model" in error.value.hint
    view = site.view("broken")
    assert (view.state, view.reason) == ("failed", "ended with exit code 7: no such model")
    for name in ("board", "files", "other"):
        await site.book.stop(name, site.link)
    assert {view.state for view in site.book.views() if view.name != "broken"} == {"stopped"}


async def test_what_is_not_there(site: Site, engine: Docker, images: Images, tmp_path: pathlib.Path) -> None:
    docker = await DockerEngine.connect(dict(os.environ))
    with engine.container(images.python) as identity:
        container = await docker.inspect(identity)
        assert container is not None
        link = await open_link(docker, container, user="", link_dir=None)
        book = ServiceBook(tmp_path / "other.json")
        plain = type("Plain", (Probe,), {"python": "python3"})()
        config = DevenvConfig(services={"lab": ServiceConfig(kind=ServiceKind.JUPYTER)})
        await book.find(config, link, plain, WORKSPACE)
        (view,) = book.views()
        assert (view.name, view.state) == ("lab", "missing")
        assert "not installed" in view.reason
        with pytest.raises(NotFound, match="Jupyter is not installed"):
            await book.start("lab", link, site.forwarder)
        with pytest.raises(NotFound, match="no service 'lob'") as error:
            await book.start("lob", link, site.forwarder)
        assert "did you mean lab" in error.value.hint
        await link.close()
        await docker.close()
