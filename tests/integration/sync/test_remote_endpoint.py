"""Files into and out of real containers: every Python from 3.6 on, users that own the folder and users that do not."""

from __future__ import annotations

import asyncio
import itertools
import os
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from devenv.engine.docker_adapter import DockerEngine
from devenv.errors import LinkError, NoPython
from devenv.sync.core.guards import Side
from devenv.sync.endpoint import Hints, LocalEndpoint
from devenv.sync.remote import RemoteEndpoint, open_remote
from devenv.sync.session import Session
from devenv.sync.store import Store
from tests.kit.boxes import Box
from tests.kit.engine import Docker
from tests.kit.fixtures import Images

pytestmark = pytest.mark.engine

Connect = Callable[..., Awaitable[RemoteEndpoint]]
NONE = Hints(frozenset(), False)


@pytest.fixture
async def connect(adapter: DockerEngine) -> AsyncIterator[Connect]:
    made = []

    async def open_one(box: Box, root: str = "/files", user: str = "root") -> RemoteEndpoint:
        made.append(await open_remote(adapter, box.id, user=user, root=root, umask=0o022, rules=None))
        return made[-1]

    yield open_one
    for end in made:
        await end.close()


@pytest.fixture
def host(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "host").mkdir()
    return tmp_path / "host"


def session(tmp_path: pathlib.Path, near: LocalEndpoint, far: RemoteEndpoint) -> Session:
    count = itertools.count()
    return Session(near, far, Store(tmp_path / "ancestor"), lambda: f"c{os.getpid()}-{next(count)}")


@pytest.mark.parametrize("version", ["3.6", "3.9", "3.11", "3.13", "3.14"])
async def test_both_ways_with_every_python(
    version: str,
    engine: Docker,
    box: Callable[..., Box],
    connect: Connect,
    host: pathlib.Path,
    tmp_path: pathlib.Path,
    request: pytest.FixtureRequest,
) -> None:
    image = f"devenv-rig/python:{version}"
    if version == "3.6":
        image = request.getfixturevalue("python36_image")
    made = box(image, "--volume", "/files")
    odd = os.fsdecode(b"caf\xe9 \n")
    (host / "src").mkdir()
    (host / "src" / odd).write_text("odd")
    (host / "run.sh").write_text("#!/bin/sh\n")
    (host / "run.sh").chmod(0o755)
    (host / "big").write_bytes(os.urandom(9 << 20))
    (host / "link").symlink_to("src")
    near, far = LocalEndpoint(host), await connect(made)
    pair = session(tmp_path, near, far)
    await near.settle()
    await far.settle()
    assert (await pair.cycle()).done == {Side.HOST: 0, Side.CONTAINER: 5}
    assert engine("exec", made.id, "sh", "-c", "cd /files; ls -A; stat -c %a run.sh; cat src/*; readlink link") == (
        ".devenv\nbig\nlink\nrun.sh\nsrc\n755\noddsrc"
    )
    engine("exec", made.id, "sh", "-c", "cd /files; echo end >> big; mkdir out; echo made > out/f; rm link")
    await far.wait()
    while (await pair.cycle(NONE, await far.settle())).done[Side.HOST] == 0:
        await far.wait()
    await pair.cycle(await near.settle(), await far.settle())
    assert (host / "out" / "f").read_text() == "made\n"
    assert (host / "big").read_bytes().endswith(b"end\n")
    assert not (host / "link").is_symlink()
    (host / "src" / odd).write_text("edited")
    await near.wait()
    assert (await pair.cycle(await near.settle(), NONE)).done == {Side.HOST: 0, Side.CONTAINER: 1}
    assert engine("exec", made.id, "sh", "-c", "cat /files/src/*") == "edited"
    await near.close()


async def test_a_user_who_may_not_write_says_so(
    box: Callable[..., Box], connect: Connect, images: Images, host: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (host / "a").write_text("a")
    near, far = LocalEndpoint(host), await connect(box(images.python, "--volume", "/files"), user="31337:31337")
    with pytest.raises(PermissionError, match="in the container: Permission denied"):
        await session(tmp_path, near, far).cycle()
    await near.close()


async def test_the_folder_of_an_ordinary_user(
    engine: Docker,
    box: Callable[..., Box],
    connect: Connect,
    images: Images,
    host: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    made = box(images.python, "--volume", "/files", "--read-only", "--cap-drop", "ALL", "--cap-add", "CHOWN")
    engine("exec", made.id, "chown", "1000:1000", "/files")
    (host / "a").write_text("a")
    near, far = LocalEndpoint(host), await connect(made, user="1000:1000")
    assert (await session(tmp_path, near, far).cycle()).done == {Side.HOST: 0, Side.CONTAINER: 1}
    assert engine("exec", made.id, "stat", "-c", "%u %a", "/files/a") == "1000 644"
    await near.close()


async def test_an_image_without_python_is_named(box: Callable[..., Box], connect: Connect, images: Images) -> None:
    with pytest.raises(NoPython):
        await connect(box(images.nopython))


async def test_a_container_that_is_killed_and_comes_back(
    engine: Docker,
    box: Callable[..., Box],
    connect: Connect,
    images: Images,
    host: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    made = box(images.python, "--volume", "/files")
    for number in range(200):
        (host / f"f{number}").write_text(str(number))
    near, far = LocalEndpoint(host), await connect(made)
    pair = session(tmp_path, near, far)
    await far.settle()
    await pair.cycle()
    waiting = asyncio.create_task(far.wait())
    engine("kill", made.id)
    with pytest.raises(LinkError):
        while True:
            await waiting
            await far.settle()
            waiting = asyncio.create_task(far.wait())
    with pytest.raises(LinkError):
        await pair.cycle()
    engine("start", made.id)
    engine("exec", made.id, "sh", "-c", "rm /files/f7; echo more > /files/new")
    (host / "f8").write_text("meanwhile")
    again = session(tmp_path, near, await connect(made))
    assert (await again.cycle()).done == {Side.HOST: 2, Side.CONTAINER: 1}
    assert not (host / "f7").exists()
    assert engine("exec", made.id, "cat", "/files/f8") == "meanwhile"
    await near.close()
