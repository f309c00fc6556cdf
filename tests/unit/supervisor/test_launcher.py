"""The launcher's one piece of state of its own: who asks the container for its environment."""

from __future__ import annotations

import asyncio
import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from devenv.environment.probe import ProbedEnv
from devenv.supervisor.changes import Changes
from devenv.supervisor.launcher import Launcher


@dataclasses.dataclass
class Bench:
    """As much of a workbench as probing uses."""

    container: Any = dataclasses.field(default_factory=lambda: SimpleNamespace(id="c", started_at="1"))
    probed: ProbedEnv | None = None
    running: bool = True
    current_link: None = None
    engine: None = None
    target: Any = dataclasses.field(default_factory=lambda: SimpleNamespace(key="k"))
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
