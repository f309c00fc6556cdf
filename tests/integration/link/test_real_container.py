"""The link into real containers: every kind of user, both tiers, and what happens to it from outside."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from devenv.engine.docker_adapter import DockerEngine
from devenv.errors import LinkError, NoPython
from devenv.link.agent_link import AgentLink
from devenv.link.port import Stream, Tier
from tests.kit.engine import Docker
from tests.kit.fixtures import Images

pytestmark = pytest.mark.engine

Dial = Callable[..., Awaitable[AgentLink]]
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


async def run(link: AgentLink, *argv: str) -> str:
    channel = await link.spawn(argv, env=ENV, cwd="/")
    found = b""
    while (received := await channel.recv()) is not None:
        if received[0] == Stream.OUT:
            found += received[1]
    return found.decode().strip()


@pytest.mark.parametrize("tier", [Tier.DIRECT, Tier.STREAM])
@pytest.mark.parametrize("user", ["root", "1000:1000", "31337:31337"])
async def test_every_user_on_both_tiers(box: Any, dial: Dial, images: Images, user: str, tier: Tier) -> None:
    link = await dial(box(images.python), tier, user=user)
    uid = 0 if user == "root" else int(user.split(":")[0])
    assert link.tier is tier
    assert link.hello.uid == uid
    assert await run(link, "id", "-u") == str(uid)


async def test_read_only_root_and_no_capabilities(box: Any, dial: Dial, images: Images) -> None:
    options = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
    link = await dial(box(images.python, *options), Tier.DIRECT, user="1000")
    assert await run(link, "echo", "in") == "in"


async def test_auto_takes_direct_and_says_why_not(box: Any, dial: Dial, images: Images) -> None:
    made = box(images.python)
    direct = await dial(made)
    assert (direct.tier, direct.reason) == (Tier.DIRECT, "same machine, link folder mounted")
    stream = await dial(made, mounted=False)
    assert stream.tier is Tier.STREAM
    assert "no link folder" in stream.reason


async def test_two_links_into_one_container_at_once(box: Any, dial: Dial, images: Images) -> None:
    made = box(images.python)
    first, second = await asyncio.gather(dial(made, user="root"), dial(made, user="1000"))
    assert await asyncio.gather(run(first, "id", "-u"), run(second, "id", "-u")) == ["0", "1000"]
    assert sorted(entry.name for entry in made.pub.iterdir()) == ["nonce"]


async def test_an_unmounted_folder_falls_back_to_the_stream(
    engine: Docker, adapter: DockerEngine, box: Any, dial: Dial, images: Images
) -> None:
    made = box(images.python)
    with engine.container(images.python) as other:
        link = await dial(type(made)(other, made.pub))
        assert link.tier is Tier.STREAM
        assert "direct is not possible" in link.reason
        with pytest.raises(LinkError, match="direct tier does not work"):
            await dial(type(made)(other, made.pub), Tier.DIRECT)


@pytest.mark.parametrize("image", ["nopython", "busybox"])
async def test_an_image_without_python_says_what_was_tried(box: Any, dial: Dial, images: Images, image: str) -> None:
    with pytest.raises(NoPython) as caught:
        await dial(box(getattr(images, image)))
    assert any("/usr/bin/python3" in line for line in caught.value.details["tried"])


@pytest.mark.parametrize("tier", [Tier.DIRECT, Tier.STREAM])
async def test_a_killed_container_ends_the_link(
    engine: Docker, box: Any, dial: Dial, images: Images, tier: Tier
) -> None:
    made = box(images.python)
    link = await dial(made, tier)
    channel = await link.spawn(["sleep", "60"], env=ENV, cwd="/")
    await asyncio.to_thread(engine, "kill", made.id)
    await asyncio.wait_for(link.wait_closed(), 20)
    with pytest.raises(LinkError):
        while await channel.recv() is not None:
            pass


@pytest.mark.parametrize("tier", [Tier.DIRECT, Tier.STREAM])
async def test_a_paused_container_keeps_its_link(
    engine: Docker, adapter: DockerEngine, box: Any, images: Images, tier: Tier
) -> None:
    from devenv.link.dial import open_link

    made = box(images.python)
    snapshot = await adapter.inspect(made.id)
    assert snapshot is not None
    link = await open_link(adapter, snapshot, user="", link_dir=made.pub, tier=tier, ping_every=0.1, dead_after=0.3)
    await asyncio.to_thread(engine, "pause", made.id)
    asking = asyncio.create_task(run(link, "echo", "awake"))
    await asyncio.sleep(2)
    assert not link.closed and not asking.done()
    await asyncio.to_thread(engine, "unpause", made.id)
    assert await asyncio.wait_for(asking, 20) == "awake"
    await link.close()


HOST = """
import asyncio, os, pathlib, sys
from devenv.engine.docker_adapter import DockerEngine
from devenv.link.dial import open_link
from devenv.link.port import Tier
async def main():
    engine = await DockerEngine.connect(dict(os.environ))
    snapshot = await engine.inspect(sys.argv[1])
    link = await open_link(engine, snapshot, user="", link_dir=pathlib.Path(sys.argv[2]), tier=Tier(sys.argv[3]))
    print(link.hello.pid, flush=True)
    await link.wait_closed()
asyncio.run(main())
"""


@pytest.mark.parametrize("tier", [Tier.DIRECT, Tier.STREAM])
async def test_a_killed_host_leaves_no_agent(engine: Docker, box: Any, images: Images, tier: Tier) -> None:
    made = box(images.python)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST, made.id, str(made.pub), str(tier), stdout=subprocess.PIPE, cwd=os.getcwd()
    )
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), 30)
    assert "devenv_agent" in await asyncio.to_thread(engine, "top", made.id)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with asyncio.timeout(10):
        while "devenv_agent" in await asyncio.to_thread(engine, "top", made.id):
            await asyncio.sleep(0.1)
