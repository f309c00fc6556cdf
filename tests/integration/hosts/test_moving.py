"""Images and builds on another machine's engine, over ssh, with every byte that goes there counted."""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.endpoint import Endpoint
from devenv.engine.moving import move
from devenv.engine.port import BuildRequest, Engine, ImageSnapshot
from devenv.errors import EngineError, EngineMissing
from devenv.hosts.connection import Connection
from tests.kit.counting_relay import CountingRelay, counting_relay
from tests.kit.fixtures import Images
from tests.kit.remote_host import RemoteHost, remote_host
from tests.kit.users import User
from tests.unit.engine.recorder import Recorder

pytestmark = [pytest.mark.engine, pytest.mark.users, pytest.mark.timeout(240)]

MB = 1_000_000


@pytest.fixture(scope="module", params=["20", "26"])
def machine(request: pytest.FixtureRequest, images: Images) -> Iterator[RemoteHost]:
    with remote_host(str(request.param), (images.busybox,)) as host:
        yield host
        host.docker("builder", "prune", "--all", "--force")  # its volume is used again


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """This machine's engine and the other one's, behind a relay that counts. `made` are removed from both."""

    here: Engine
    there: Engine
    relay: CountingRelay
    machine: RemoteHost
    folder: Path
    made: list[str]

    def name(self) -> str:
        self.made.append(f"rig-moving:{uuid.uuid4().hex[:12]}")
        return self.made[-1]

    async def build(self, engine: Engine, dockerfile: str, files: Mapping[str, bytes] = {}) -> str:
        """A small image; returns its name."""
        name = self.name()
        await self.build_in(engine, self.folder / uuid.uuid4().hex[:8], name, dockerfile, files)
        return name

    async def build_in(
        self, engine: Engine, folder: Path, name: str, dockerfile: str, files: Mapping[str, bytes]
    ) -> ImageSnapshot:
        folder.mkdir(exist_ok=True)
        for file, content in {**files, "Dockerfile": dockerfile.encode()}.items():
            (folder / file).write_bytes(content)
        request = BuildRequest(context=str(folder), dockerfile=str(folder / "Dockerfile"), tags=(name,))
        image = await engine.build(request, Recorder())
        assert image is not None
        return image

    def left_over(self) -> list[str]:
        """What the other engine keeps of archives that it was sent."""
        return self.machine.shell("ls -A /var/lib/docker/tmp").split()


@pytest.fixture
async def pair(
    machine: RemoteHost, person: User, env: Mapping[str, str], connect: Callable[[str], Connection], tmp_path: Path
) -> AsyncIterator[Pair]:
    machine.introduce(person, "box")
    connection = connect("box")
    await connection.ready(env)
    here = await DockerEngine.connect(dict(os.environ))
    with counting_relay(person.home / "relay.sock", connection.path) as relay:
        endpoint = Endpoint(f"unix://{relay.path}", "host box", ssh="ssh://box", name="box")
        there = await DockerEngine.open(endpoint, dict(os.environ))
        found = Pair(here, there, relay, machine, tmp_path, [])
        yield found
        relay.cut_after(None)
        for name in reversed(found.made):
            await here.remove_image(name)
            await there.remove_image(name)
        await here.close()
        await there.close()


async def test_a_second_image_sends_its_own_layers_only(pair: Pair, images: Images) -> None:
    base = await pair.build(pair.here, f"FROM {images.busybox}\nCOPY big /big\n", {"big": os.urandom(4 * MB)})
    before = pair.relay.sent
    moved = await move(pair.here, pair.there, base, Recorder(), to="box", folder=pair.folder)
    assert (moved.layers_sent, moved.layers_there) == (1, 1), "busybox is there"
    assert 4 * MB < pair.relay.sent - before < 4.5 * MB
    # Twice the same layer, with one between: the old layout has a link for the second.
    text = f"FROM {base}\nCOPY a /a\nCOPY b /b\nCOPY a /a\nRUN test -s /big\n"
    child = await pair.build(pair.here, text, {"a": b"first", "b": b"second"})
    before, told = pair.relay.sent, Recorder()
    moved = await move(pair.here, pair.there, child, told, to="box", folder=pair.folder)
    assert moved.layers_there == 2 and moved.layers_sent >= 3
    assert pair.relay.sent - before < 200_000
    assert told.ended[0][2].startswith(f"{moved.layers_sent} of {moved.layers_sent + 2} layers, ")
    script = "wc -c < /big; cat /a /b"
    assert pair.machine.docker("run", "--rm", "--network=none", child, "sh", "-c", script) == f"{4 * MB}\nfirstsecond"
    assert not pair.left_over() and not [*pair.folder.glob("tmp*")]


async def test_it_comes_back_from_an_engine_of_either_layout(pair: Pair, images: Images) -> None:
    text = f"FROM {images.busybox}\nCOPY a /a\nCOPY b /b\nCOPY a /a\n"
    name = await pair.build(pair.there, text, {"a": os.urandom(20_000), "b": b"b"})
    moved = await move(pair.there, pair.here, name, Recorder(), to="this machine", folder=pair.folder)
    theirs = await pair.there.image(name)
    assert theirs is not None and moved.image.id == theirs.id
    assert moved.layers_there == 1 and moved.bytes < 200_000


async def test_a_connection_that_breaks_leaves_nothing_half_done(pair: Pair, images: Images) -> None:
    name = await pair.build(pair.here, f"FROM {images.busybox}\nCOPY big /big\n", {"big": os.urandom(6 * MB)})
    pair.relay.cut_after(2 * MB)
    with pytest.raises(EngineMissing, match="the engine of ssh://box does not answer"):
        await move(pair.here, pair.there, name, Recorder(), to="box", folder=pair.folder)
    pair.relay.cut_after(None)
    assert await pair.there.image(name) is None
    assert not pair.left_over() and not [*pair.folder.glob("tmp*")]
    moved = await move(pair.here, pair.there, name, Recorder(), to="box", folder=pair.folder)
    assert moved.layers_sent == 1


async def test_a_full_disk_is_told_with_the_engines_words(pair: Pair, images: Images) -> None:
    name = await pair.build(pair.here, f"FROM {images.busybox}\nCOPY big /big\n", {"big": os.urandom(6 * MB)})
    pair.machine.shell("mount -t tmpfs -o size=3m none /var/lib/docker/tmp")
    try:
        with pytest.raises(EngineError, match="no space left on device") as raised:
            await move(pair.here, pair.there, name, Recorder(), to="box", folder=pair.folder)
    finally:
        pair.machine.shell("umount --lazy /var/lib/docker/tmp")
    assert "docker system prune" in raised.value.hint
    assert await pair.there.image(name) is None


async def test_a_second_build_sends_what_changed(pair: Pair, images: Images) -> None:
    folder, name = pair.folder / "context", pair.name()
    text = f"FROM {images.busybox}\nCOPY big small /\n"
    await pair.build_in(pair.there, folder, name, text, {"big": os.urandom(5 * MB), "small": b"one"})
    before = pair.relay.sent
    image = await pair.build_in(pair.there, folder, name, text, {"small": b"two"})
    assert pair.relay.sent - before < 0.5 * MB
    assert pair.machine.docker("run", "--rm", "--network=none", image.id, "cat", "/small") == "two"


async def test_a_second_build_by_compose_sends_what_changed(pair: Pair, images: Images) -> None:
    folder, name = pair.folder / "project", pair.name()
    folder.mkdir()
    (folder / "compose.yaml").write_text(f"services:\n  app:\n    image: {name}\n    build: .\n")
    (folder / "Dockerfile").write_text(f"FROM {images.busybox}\nCOPY big small /\n")
    (folder / "big").write_bytes(os.urandom(5 * MB))
    sizes = []
    for text in ("one", "two"):
        (folder / "small").write_text(text)
        before = pair.relay.sent
        done = await pair.there.compose(["build"], cwd=str(folder))
        assert done.exit_code == 0, done.stderr
        sizes.append(pair.relay.sent - before)
    assert sizes[0] > 5 * MB and sizes[1] < 0.5 * MB
    assert pair.machine.docker("run", "--rm", "--network=none", name, "cat", "/small") == "two"
