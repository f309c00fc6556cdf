"""The main states as text, in a small and in a large terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from devenv.api import fake_scenes
from devenv.api.fake import FakeClient
from devenv.api.views import EnvStatus
from devenv.errors import BuildFailed, LinkError

from .conftest import NARROW, WIDE, Open, Table, golden


def bare() -> FakeClient:
    return fake_scenes.absent(configured=False)


def coming_up() -> FakeClient:
    client = fake_scenes.absent()
    client.gate.clear()
    return client


def failing() -> FakeClient:
    client = fake_scenes.absent()
    client.up_error = BuildFailed("Step 7/11 failed: RUN pip install -r requirements.txt", "See `devenv logs --build`.")
    return client


def without_engine() -> FakeClient:
    client = fake_scenes.busy()
    client.change_environment(status=EnvStatus.ENGINE_LOST)
    return client


def stopped() -> FakeClient:
    client = fake_scenes.ready()
    environment = msgspec.structs.replace(client.snapshot.environment, status=EnvStatus.STOPPED, started=None)
    client.change(environment=environment)
    return client


async def nothing(table: Table) -> None:
    pass


def keys(*pressed: str, sees: str = "") -> Callable[[Table], Awaitable[None]]:
    async def press(table: Table) -> None:
        await table.press(*pressed)
        if sees:
            await table.sees(sees)

    return press


def several() -> FakeClient:
    client = fake_scenes.busy()
    client.configuration_views = fake_scenes.CONFIGURATIONS
    client.change_environment(others=[view.file for view in fake_scenes.CONFIGURATIONS[1:]])
    return client


async def fail_behind(table: Table) -> None:
    operation = table.client.snapshot.operation
    assert operation is not None
    error = "postCreateCommand failed with exit code 1: pip install -e .[dev]"
    ended = msgspec.structs.replace(
        operation, running=False, error=error, hint="See what it printed: devenv logs --build."
    )
    table.client.change(operation=ended)
    await table.sees("lifecycle commands failed")
    await table.press("p")
    await table.sees("failed with exit code 1")


async def lose(table: Table) -> None:
    table.client.fail_next("watch", LinkError("the socket is gone.", "It starts again by itself."))
    await table.sees("Supervisor lost")


CASES: dict[str, tuple[Callable[[], FakeClient], Callable[[Table], Awaitable[None]]]] = {
    "absent": (fake_scenes.absent, nothing),
    "absent-unconfigured": (bare, keys("2")),
    "coming-up": (coming_up, keys("u", sees="Build the image")),
    "up-failed": (failing, keys("u", sees="failed")),
    "ready": (fake_scenes.ready, nothing),
    "stopped": (stopped, keys("2")),
    "running": (fake_scenes.busy, nothing),
    "output": (fake_scenes.busy, keys("2", sees="epoch 15")),
    "tests-failed": (fake_scenes.busy, keys("3", "down", sees="torch.Size")),
    "ports": (fake_scenes.busy, keys("4", sees="PORTS")),
    "build-log": (fake_scenes.busy, keys("5", sees="torchmetrics")),
    "help": (fake_scenes.busy, keys("question_mark")),
    "details": (fake_scenes.busy, keys("e", sees="64 MiB")),
    "stop-with-live-runs": (fake_scenes.busy, keys("S", sees="End them")),
    "which-configuration": (fake_scenes.undecided, keys(sees="Which configuration")),
    "another-configuration": (several, keys("C", sees="Which configuration")),
    "debug-sessions": (fake_scenes.busy, keys("L", "down", "down", sees="118")),
    "debugger-attached": (fake_scenes.busy, keys("1", "B", sees="debugger ready")),
    "finishing": (fake_scenes.finishing, keys("2")),
    "finishing-details": (fake_scenes.finishing, keys("e", sees="in force")),
    "hooks-failed": (fake_scenes.finishing, fail_behind),
    "engine-lost": (without_engine, nothing),
    "supervisor-lost": (fake_scenes.busy, lose),
}


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", list(CASES))
async def test_screen(opened: Open, name: str, size: tuple[int, int]) -> None:
    make, act = CASES[name]
    async with opened(make(), size) as table:
        await act(table)
        if size == WIDE and table.app.state.selected is not None:
            await table.sees("Keys" if name == "help" else "epoch 15")
        golden(f"{name}-{size[0]}x{size[1]}", table.text())
        assert max(len(line) for line in table.text().splitlines()) <= size[0]


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (79, 23), (119, 50), (120, 24), (300, 100)])
async def test_every_size_can_be_drawn(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size=size) as table:
        for key in "12345":
            await table.press(key)
        await table.press("question_mark", "escape", "e", "escape")
        assert "digits" in table.text()


async def test_a_change_of_size_changes_the_layout(opened: Open) -> None:
    async with opened(size=WIDE) as table:
        await table.press("4")
        await table.pilot.resize_terminal(*NARROW)
        await table.settle()
        assert not table.app.state.wide and "PORTS" in table.text() and "History" not in table.text()
        await table.pilot.resize_terminal(*WIDE)
        await table.settle()
        assert table.app.state.wide and "PORTS" in table.text() and "History" in table.text()
