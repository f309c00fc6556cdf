"""Health checks that devenv runs while Compose waits, on an engine that is a script."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, cast

import pytest

from devenv.compose import health
from devenv.engine import snapshots
from devenv.engine.port import ContainerSnapshot, Engine, EngineInfo
from devenv.errors import EngineMissing

FAST = {"Test": ["CMD", "true"], "Interval": 1_000_000}


@dataclasses.dataclass
class Scripted:
    """One container of a project; `healthy_after` checks it is healthy."""

    check: Mapping[str, Any]
    status: str = "running"
    podman: bool = True
    endpoint: str = "unix:///x"
    healthy_after: int = 2
    lost: bool = False
    hangs: bool = False
    checked: int = 0
    seen: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    async def info(self) -> EngineInfo:
        raw = {"BuildahVersion": "1.28.2"} if self.podman else {}
        return snapshots.info(raw, endpoint=self.endpoint, api_version="1.41", has_buildx=True, has_compose=True)

    async def find(self, labels: Mapping[str, str | None]) -> list[ContainerSnapshot]:
        assert labels == {"com.docker.compose.project": "p"}
        if self.lost:
            self.lost = False
            raise EngineMissing("gone", "")
        health_now = "healthy" if self.checked >= self.healthy_after else "starting"
        if health_now == "healthy" or self.status != "running":
            self.seen.set()
        state = {"Status": self.status, "Health": {"Status": health_now}}
        return [snapshots.container({"Id": "c", "State": state, "Config": {"Healthcheck": self.check}})]

    async def check_health(self, container: str) -> None:
        assert container == "c"
        self.checked += 1
        if self.hangs:
            await asyncio.Event().wait()


async def kept(engine: Scripted, systemd: pathlib.Path = pathlib.Path("/none")) -> list[str]:
    told: list[str] = []
    async with health.kept(cast(Engine, engine), "p", told.append, systemd=systemd):
        await asyncio.wait_for(engine.seen.wait(), 20)
    return told


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LOOK", 0.005)


async def test_checks_are_run_until_the_service_is_healthy_and_it_is_told() -> None:
    engine = Scripted(FAST)
    told = await kept(engine)
    assert engine.checked == 2 and set(told) == {health.NOTE}


async def test_an_engine_that_is_away_for_a_moment() -> None:
    engine = Scripted(FAST, lost=True)
    await kept(engine)
    assert engine.checked == 2


async def test_a_check_that_hangs_is_given_up_on_after_its_own_limit() -> None:
    engine = Scripted({**FAST, "Timeout": 10_000_000}, hangs=True)
    await kept(engine)
    assert engine.checked == 2


@pytest.mark.parametrize(
    ("what", "engine"),
    [
        ("a container that is not running", Scripted(FAST, status="created")),
        ("no check", Scripted({}, healthy_after=0)),
        ("a check that is switched off", Scripted({"Test": ["NONE"], "Interval": 1}, healthy_after=0)),
        ("healthy already", Scripted(FAST, healthy_after=0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_nothing_to_check(what: str, engine: Scripted) -> None:
    assert await kept(engine) == [] and engine.checked == 0


@pytest.mark.parametrize(
    ("what", "engine", "booted"),
    [
        ("Docker checks by itself", Scripted(FAST, podman=False), False),
        ("systemd has Podman's timers", Scripted(FAST), True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_engines_that_check_by_themselves_are_left_alone(
    what: str, engine: Scripted, booted: bool, tmp_path: pathlib.Path
) -> None:
    async with health.kept(
        cast(Engine, engine), "p", lambda text: None, systemd=tmp_path if booted else tmp_path / "no"
    ):
        await asyncio.sleep(0.05)
    assert engine.checked == 0


async def test_of_a_podman_elsewhere_nobody_knows_whether_it_has_timers(tmp_path: pathlib.Path) -> None:
    engine = Scripted(FAST, endpoint="tcp://elsewhere:2375")
    await kept(engine, systemd=tmp_path)
    assert engine.checked == 2
