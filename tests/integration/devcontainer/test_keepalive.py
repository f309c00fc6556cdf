"""The command that keeps a container up, as PID 1 of real images with different shells."""

from __future__ import annotations

import pytest

from devcontainer import keepalive
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.waiting import eventually

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    "options", [(), ("--init",), ("--read-only", "--user", "3001")], ids=["bare", "init", "read-only"]
)
@pytest.mark.parametrize("image", ["nopython", "busybox"], ids=["dash", "busybox"])
def test_stop_is_heard(engine: Docker, images: Images, image: str, options: tuple[str, ...]) -> None:
    """Exit code 0 is the trap's; a container that the engine had to kill ends with 137."""
    entry, *arguments = keepalive.argv()
    with engine.container(
        getattr(images, image), *options, "--entrypoint", entry, command=tuple(arguments)
    ) as identity:
        eventually(lambda: "Container started" in engine("logs", identity), "the first line")
        engine("exec", identity, "true")
        engine("stop", "--time", "30", identity)
        assert engine.inspect(identity)["State"]["ExitCode"] == 0


def test_orphans_are_reaped(engine: Docker, images: Images) -> None:
    """Without an init the shell is the parent of what others leave behind."""
    entry, *arguments = keepalive.argv()
    with engine.container(images.busybox, "--entrypoint", entry, command=tuple(arguments)) as identity:
        engine("exec", identity, "sh", "-c", "(sleep 0 &)")
        states = ("exec", identity, "sh", "-c", "cut -d' ' -f3 /proc/[0-9]*/stat")
        eventually(lambda: "Z" not in engine(*states).split(), "no process waits to be reaped")
