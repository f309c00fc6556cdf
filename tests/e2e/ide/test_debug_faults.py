"""What happens to a debugger when parts go away, and in containers that are not the common case."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.e2e.daily.site import Site
from tests.e2e.ide.place import attached, debugging, door, line_of, own_name, place
from tests.e2e.ide.programs import PROGRAMS
from tests.kit.command import Shell
from tests.kit.dap import DapClient
from tests.kit.engine import Docker
from tests.kit.fixtures import Images
from tests.kit.users import User
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.engine, pytest.mark.users]

LOOP = {"loop.py": PROGRAMS["loop.py"]}
TRAIN = {"train.py": PROGRAMS["train.py"]}


def stop_in_loop(site: Site) -> int:
    """Attaches as launch.json says, stops in the loop, leaves; the value of `tick`."""
    source = site.path("loop.py")
    with attached(site, {source: [line_of(source, "tick += 1")]}) as (client, placed):
        thread = client.stopped("breakpoint")["threadId"]
        assert placed[str(source)][0]["verified"]
        tick = int(client.evaluate("tick", client.frames(thread)[0]["id"]))
        client.breakpoints(source, [])
        client.disconnect()
    return tick


def test_the_supervisor_is_killed_under_a_debugger(studio: Site) -> None:
    source = studio.path("loop.py")
    with debugging(studio, "loop.py"):
        before = door(studio)
        with attached(studio, {source: [line_of(source, "tick += 1")]}) as (client, _):
            thread = client.stopped("breakpoint")["threadId"]
            tick = int(client.evaluate("tick", client.frames(thread)[0]["id"]))
            studio.kill_supervisor()
            assert door(studio) == before
            assert stop_in_loop(studio) >= tick


@pytest.mark.parametrize("how", ["devenv", "docker"])
def test_the_same_port_after_a_restart_of_the_container(studio: Site, engine: Docker, how: str) -> None:
    with debugging(studio, "--no-wait", "loop.py"):
        before = door(studio)
        stop_in_loop(studio)
        if how == "devenv":
            studio.devenv("stop", "--force").ok()
            studio.devenv("start").ok()
        else:
            engine("restart", "--time", "0", studio.container())
    with debugging(studio, "loop.py"):
        assert door(studio) == before
        stop_in_loop(studio)


def test_a_read_only_root(alice: User, shell: Callable[..., Shell], images: Images) -> None:
    options = ["--read-only", "--tmpfs", "/tmp"]
    with (
        place(shell, alice, own_name("sealed"), images.python_user, LOOP, runArgs=options) as site,
        debugging(site, "loop.py"),
    ):
        site.exec("sh", "-c", "touch /usr/file").failed()
        stop_in_loop(site)


def test_host_networking_needs_consent(alice: User, shell: Callable[..., Shell], images: Images) -> None:
    with place(shell, alice, own_name("open"), images.python_user, TRAIN, runArgs=["--network=host"]) as site:
        site.devenv("debug", "--detach", "train.py").failed(77).says("every user", "--allow-host-network")
        outcome = site.devenv("debug", "--detach", "--allow-host-network", "train.py").ok()
        said = re.search(r"ready at 127\.0\.0\.1:(\d+)", outcome.out)
        assert said, outcome.describe()
        source = site.path("train.py")
        line = line_of(source, "total += loss")
        with DapClient(int(said[1])) as client:
            placed = client.attach({source: [line]}, mappings=[(site.folder, site.view()["workspace_folder"])])
            client.stopped("breakpoint")
            assert placed[str(source)][0]["verified"]
        site.devenv("kill", "train.py").ok()


@pytest.mark.parametrize("version", ["3.6", "3.9", "3.11", "3.13"])
def test_interpreters(version: str, alice: User, shell: Callable[..., Shell], engine: Docker, images: Images) -> None:
    image = f"devenv-rig/python:{version}"
    if not engine.exists(image):
        pytest.skip(f"{image} is missing: pyenv install {version}, then tests/rig/images.sh old")
    with place(shell, alice, own_name(f"py{version.replace('.', '')}"), image, TRAIN) as site:
        source = site.path("train.py")
        line = line_of(source, "total += loss")
        with site.background("debug", "train.py") as program:
            eventually(lambda: "the program waits for it" in program.err, "the debugger", 60)
            with attached(site, {source: [line]}) as (client, placed):
                thread = client.stopped("breakpoint")["threadId"]
                assert placed[str(source)][0]["verified"]
                frame = client.frames(thread)[0]["id"]
                assert client.evaluate("tuple(__import__('sys').version_info[:2])", frame) == str(
                    tuple(map(int, version.split(".")))
                )
                client.step_over(thread)
                client.breakpoints(source, [])
                client.resume(thread)
                client.event("terminated")
            assert program.wait() == 0
            assert program.out == b"total 297\n"
            assert [line for line in program.err.splitlines() if not line.startswith("devenv: ")] == []


def test_workers_of_a_data_loader(alice: User, shell: Callable[..., Shell], images: Images) -> None:
    program = """\
from torch.utils.data import DataLoader, Dataset


class Squares(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        value = index * index
        return value


if __name__ == "__main__":
    for batch in DataLoader(Squares(), batch_size=4, num_workers=1):
        print("batch", batch.tolist())
"""
    with place(shell, alice, own_name("loader"), images.torch, {"load.py": program}) as site:
        source = site.path("load.py")
        with (
            debugging(site, "load.py") as run,
            attached(site, {source: [line_of(source, "return value")]}) as (client, _),
        ):
            worker, stop = client.stopped_child(timeout=90)
            thread = stop["threadId"]
            frame = worker.frames(thread)[0]
            assert frame["source"]["path"] == str(source)
            assert worker.evaluate("(index, value)", frame["id"]) == "(0, 0)"
            worker.breakpoints(source, [])
            worker.resume(thread)
            client.event("terminated", timeout=60)
            site.devenv("logs", run).ok().says(r"batch \[0, 1, 4, 9\]")
