"""Debugging in containers that give nothing: no network, a read-only root, another user than the host's."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator

import pytest

from devenv.debug.cache import DebugpyCache
from devenv.debug.delivery import Delivery
from devenv.delivery.placing import MOUNTED_PAYLOAD
from devenv.engine.docker_adapter import DockerEngine
from devenv.link.dial import open_link
from devenv.link.direct_tier import prepare_folder
from devenv.link.port import Link, Tier
from tests.integration.debug.bench import Bench, Probe
from tests.kit.dap import DapClient
from tests.kit.engine import Docker
from tests.kit.fixtures import Images

pytestmark = pytest.mark.engine

SCRIPT = "import os\nvalue = 20 + 1\nresult = value * 2\nprint('result', result)\n"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> DebugpyCache:
    return DebugpyCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def start(engine: Docker, tmp_path: pathlib.Path) -> Iterator[Callable[..., str]]:
    """`start(image, *options)`: the id of a container with the project and the link folder in it."""
    import contextlib

    for folder in ("host", "link"):
        (tmp_path / folder).mkdir()
    for path in (tmp_path, *list(tmp_path.parents)[:2]):
        path.chmod(0o755)
    prepare_folder(tmp_path / "link")
    with contextlib.ExitStack() as stack:

        def run(image: str, *options: str) -> str:
            mounts = ("-v", f"{tmp_path}/host:/work:ro", "-v", f"{tmp_path}/link/pub:/run/devenv:ro")
            return stack.enter_context(engine.container(image, *mounts, *options))

        yield run


class Inside(Bench):
    """A bench whose project is mounted, and whose interpreter is the container's."""

    def write(self, name: str, text: str) -> pathlib.Path:
        path = pathlib.Path(self.paths.host, name)
        path.write_text(text)
        path.chmod(0o644)
        return path


CASES = [
    ("root, no network", "python", "", ("--network", "none")),
    ("uid 1000, read-only root", "python_user", "dev", ("--network", "none", "--read-only")),
    ("a uid without a name", "python", "3001:3001", ("--network", "none", "--read-only", "--cap-drop", "ALL")),
]


@pytest.mark.parametrize(("what", "image", "user", "options"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "sent"])
async def test_a_breakpoint_is_hit(
    what: str,
    image: str,
    user: str,
    options: tuple[str, ...],
    mounted: bool,
    start: Callable[..., str],
    images: Images,
    cache: DebugpyCache,
    tmp_path: pathlib.Path,
) -> None:
    identity = start(getattr(images, image), *options)
    docker = await DockerEngine.connect(dict(os.environ))
    container = await docker.inspect(identity)
    assert container is not None
    pub = tmp_path / "link/pub"
    link: Link = await open_link(docker, container, user=user, link_dir=pub if mounted else None)
    bench = Inside(tmp_path, link, cache)
    bench.paths = type(bench.paths)(str(tmp_path / "host"), "/work")
    bench.delivery = Delivery(cache, pub / "payload" if mounted else None)
    bench.probe = Probe("python3")
    script = bench.write("train.py", SCRIPT)
    try:
        await bench.open()
        await bench.delivery.prepare(link, "python3", env=bench.probe.env, cwd="/")
        if mounted:
            (tree,) = (pub / "payload").iterdir()
            assert list(tree.glob(".compiled-cpython-*"))
            assert list(tree.glob("debugpy/server/__pycache__/cli.*.pyc"))
        run = await bench.debug("train.py")
        argv = bench.records.get(run, {}).get("argv") or (await link.request("runs.get", run=run))["argv"]
        assert argv[4].startswith(MOUNTED_PAYLOAD if mounted else link.hello.state_dir)
        assert link.tier is (Tier.DIRECT if mounted else Tier.STREAM)

        def drive(client: DapClient) -> tuple[bool, str]:
            placed = client.attach({script: [3]}, mappings=bench.mappings)
            stop = client.stopped("breakpoint")
            frame = client.frames(stop["threadId"])[0]
            assert frame["source"]["path"] == str(script)
            value = client.evaluate("value", frame["id"])
            client.resume(stop["threadId"])
            client.event("terminated")
            client.disconnect()
            return placed[str(script)][0]["verified"], value

        assert await bench.client(drive) == (True, "21")
        assert (await bench.end(run))["exit_code"] == 0
        assert await bench.output(run) == "result 42\n"
    finally:
        await bench.forwarder.close()
        await link.close()
        await docker.close()
