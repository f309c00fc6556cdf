"""Whether an engine may raise limits, read from a /proc that is a folder."""

from __future__ import annotations

import os
import pathlib

import pytest

from devenv.engine import snapshots
from devenv.engine.port import EngineInfo
from devenv.environment.training import engine_limits
from devenv.environment.training.engine_limits import EngineLimits

ALL = "000001ffffffffff"
WITHOUT = "000001fffeffffff"  # all but CAP_SYS_RESOURCE


def process(
    proc: pathlib.Path, number: int, comm: str, *, bound: str = ALL, has: str = ALL, nofile: str = "1048576"
) -> None:
    folder = proc / str(number)
    folder.mkdir(parents=True)
    (folder / "comm").write_text(f"{comm}\n")
    (folder / "status").write_text(f"Name:\t{comm}\nCapEff:\t{has}\nCapBnd:\t{bound}\n")
    (folder / "limits").write_text(
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max stack size            8388608              unlimited            bytes     \n"
        f"Max open files            1024                 {nofile:<20} files     \n"
        "Max locked memory         8388608              8388608              bytes     \n"
        "Max realtime timeout      unlimited            unlimited            us        \n"
    )


def test_the_usual(tmp_path: pathlib.Path) -> None:
    process(tmp_path, 1, "systemd")
    process(tmp_path, 50, "dockerd")
    assert engine_limits.look(tmp_path) == EngineLimits(True, {"stack": -1, "nofile": 1048576, "memlock": 8388608})


def test_a_machine_on_which_nobody_can(tmp_path: pathlib.Path) -> None:
    process(tmp_path, 1, "init", bound=WITHOUT, nofile="64")
    process(tmp_path, 50, "dockerd", has=WITHOUT, nofile="20000")
    process(tmp_path, 51, "containerd", has=WITHOUT, nofile="unlimited")
    process(tmp_path, 52, "bash", nofile="1")
    found = engine_limits.look(tmp_path)
    assert found.may_raise is False and found.hard["nofile"] == 20000


def test_an_engine_that_was_robbed_of_the_right(tmp_path: pathlib.Path) -> None:
    process(tmp_path, 1, "systemd")
    process(tmp_path, 50, "containerd", has=WITHOUT)
    assert engine_limits.look(tmp_path).may_raise is False


def test_nothing_to_be_seen(tmp_path: pathlib.Path) -> None:
    assert engine_limits.look(tmp_path / "none") == EngineLimits()


def info(endpoint: str = "unix:///x", *, rootless: bool = False, kernel: str = "") -> EngineInfo:
    raw = {"SecurityOptions": ["name=rootless"] if rootless else [], "KernelVersion": kernel or os.uname().release}
    return snapshots.info(raw, endpoint=endpoint, api_version="1.45", has_buildx=True, has_compose=True)


@pytest.mark.parametrize(
    ("engine", "may_raise"),
    [(info(), False), (info("tcp://x"), True), (info(kernel="other"), True), (info("tcp://x", rootless=True), False)],
    ids=["here", "elsewhere", "in a virtual machine", "without root"],
)
async def test_which_engine_is_looked_at(tmp_path: pathlib.Path, engine: EngineInfo, may_raise: bool) -> None:
    process(tmp_path, 1, "init", bound=WITHOUT)
    assert (await engine_limits.gather(engine, proc=tmp_path)).may_raise is may_raise
