"""The launcher's one piece of state of its own: who asks the container for its environment."""

from __future__ import annotations

import asyncio
import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from devenv.environment.inside.probe import ProbedEnv
from devenv.environment.properties import PLAN_LABEL
from devenv.errors import LinkError
from devenv.supervisor.changes import Changes
from devenv.supervisor.launcher import Launcher


@dataclasses.dataclass
class Bench:
    """As much of a workbench as probing uses."""

    container: Any = dataclasses.field(
        default_factory=lambda: SimpleNamespace(
            id="c", started_at="1", mounts=(), labels={PLAN_LABEL: '{"workspaceFolder": "/w"}'}
        )
    )
    probed: ProbedEnv | None = None
    running: bool = True
    current_link: Any = None
    engine: None = None
    target: Any = dataclasses.field(
        default_factory=lambda: SimpleNamespace(key="k", local_folder="", workspace_folder="/w")
    )
    changes: Changes = dataclasses.field(default_factory=Changes)

    def require_running(self) -> Any:
        return self.container


class Probes:
    """Environments whose answers come when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()

    async def probe(self, *_: object, **__: object) -> ProbedEnv:
        self.asked += 1
        await self.go.wait()
        return ProbedEnv(env={}, python=f"python-{self.asked}")


def launcher(probes: Probes) -> Launcher:
    registry: Any = SimpleNamespace(environments=probes)
    cache: Any = None
    return Launcher(registry, cache)


async def test_many_who_ask_at_once_are_one_probe() -> None:
    probes, bench = Probes(), Bench()
    one: Any = bench
    ours = launcher(probes)
    asking = [asyncio.create_task(ours.probed(one)) for _ in range(3)]
    await asyncio.sleep(0)
    probes.go.set()
    assert {found.python for found in await asyncio.gather(*asking)} == {"python-1"}
    assert (probes.asked, bench.probed is not None) == (1, True)


async def test_the_next_one_probes_when_the_first_gave_up() -> None:
    probes, bench = Probes(), Bench()
    one: Any = bench
    ours = launcher(probes)
    first, second = asyncio.create_task(ours.probed(one)), asyncio.create_task(ours.probed(one))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    probes.go.set()
    assert (await second).python == "python-2"


async def test_an_answer_of_a_container_that_was_restarted_meanwhile_is_not_kept() -> None:
    probes, bench = Probes(), Bench()
    one: Any = bench
    asking = asyncio.create_task(launcher(probes).probed(one))
    await asyncio.sleep(0)
    bench.container = SimpleNamespace(id="c", started_at="2")
    probes.go.set()
    assert (await asking).python == "python-1"
    assert bench.probed is None


class Files:
    """A link to a container in which only start-up files can be looked at."""

    closed = False
    hello = SimpleNamespace(home="/home/dev")

    def __init__(self) -> None:
        self.bashrc: Any = {"size": 1, "mtime": 1.0}
        self.broken = False

    async def request(self, op: str, *, paths: list[str]) -> dict[str, Any]:
        assert op == "stat"
        if self.broken:
            raise LinkError("gone")
        return {path: self.bashrc if path == "/home/dev/.bashrc" else None for path in paths}


async def test_an_edited_start_up_file_is_looked_at_again() -> None:
    probes, files = Probes(), Files()
    probes.go.set()
    bench: Any = Bench(current_link=files)
    ours = launcher(probes)
    for _ in range(2):  # the probe itself did not look, so the first state that is seen counts as the probe's
        assert (await ours.probed(bench)).python == "python-1"
    files.bashrc = {"size": 2, "mtime": 2.0}
    assert (await ours.probed(bench)).python == "python-2"
    bench.probed = dataclasses.replace(bench.probed, files={"/home/dev/.bashrc": [2, 2.0]})
    assert (await ours.probed(bench)).python == "python-2"
    files.bashrc = None
    assert (await ours.probed(bench)).python == "python-3"


async def test_where_nobody_can_look_what_is_known_counts() -> None:
    probes, files = Probes(), Files()
    probes.go.set()
    bench: Any = Bench(current_link=files)
    ours = launcher(probes)
    await ours.probed(bench)
    files.broken = True
    assert (await ours.probed(bench)).python == "python-1"
    bench.current_link = None
    assert (await ours.probed(bench)).python == "python-1"


async def test_what_is_known_goes_with_a_request_instead_of_being_asked_for() -> None:
    """A round trip less, for who is far from the container."""
    probes, files = Probes(), Files()
    probes.go.set()
    bench: Any = Bench(current_link=files)
    ours = launcher(probes)
    assert ours.expected(bench) is None, "nothing is known"
    await ours.probed(bench)
    assert ours.expected(bench) is None, "nobody has looked at the files yet"
    files.bashrc = {"size": 2, "mtime": 2.0}
    await ours.probed(bench)
    expected = ours.expected(bench)
    assert expected is not None
    assert expected["/home/dev/.bashrc"] == [2, 2.0]
    assert expected["/home/dev/.profile"] is None
    files.broken = True
    assert (await ours.probed(bench, unchecked=True)).python == "python-1"
