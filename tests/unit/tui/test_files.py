"""Files that are kept the same: what the header says of them, and conflicts ended by a choice."""

from __future__ import annotations

import msgspec
import pytest

from devenv.api import fake_scenes
from devenv.api.fake import FakeClient
from devenv.api.fake_sync import SYNC
from tui.actions import BY_ID, offered
from tui.dialogs.chooser import Chooser
from tui.screens.overlays import ReadingScreen

from .conftest import NARROW, WIDE, Open


def synced(**changes: object) -> FakeClient:
    client = fake_scenes.ready()
    client.change(sync=msgspec.structs.replace(SYNC, **changes))
    return client


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_header_says_what_is_to_be_decided(opened: Open, size: tuple[int, int]) -> None:
    async with opened(synced(), size=size) as table:
        await table.sees("⇄ 2 conflicts M")


async def test_a_conflict_ends_with_a_choice(opened: Open) -> None:
    async with opened(synced()) as table:
        await table.press("M")
        await table.until(lambda: isinstance(table.app.screen, Chooser))
        assert "digits/train.py" in table.text() and "both sides changed it" in table.text()
        await table.press("enter")
        await table.sees("keep the container's")
        await table.press("down", "enter")
        await table.until(lambda: table.asked("sync")[-1][:3] == ("resolve", "digits/train.py", "container"))
        await table.sees("notes.md")
        assert "digits/train.py" not in table.text().split("Conflicts")[-1]


async def test_the_difference_is_shown(opened: Open) -> None:
    async with opened(synced()) as table:
        await table.press("M")
        await table.until(lambda: isinstance(table.app.screen, Chooser))
        await table.press("enter")
        await table.sees("show how they differ")
        await table.press("down", "down", "down", "enter")
        await table.until(lambda: isinstance(table.app.screen, ReadingScreen))
        assert "+rate = 0.2" in table.text()


async def test_a_halt_says_why_and_asks_how_to_go_on(opened: Open) -> None:
    halted = synced(state="halted", why="60 of 100 files would be deleted on this machine", conflicts=[])
    async with opened(halted) as table:
        await table.sees("⇄ files halted M")
        await table.press("M")
        await table.sees("60 of 100 files would be deleted on this machine")
        assert "delete what the other side deleted" in table.text()
        await table.press("enter")
        await table.until(lambda: table.asked("sync")[-1][0] == "reset")


async def test_nothing_is_offered_where_the_project_is_mounted(opened: Open) -> None:
    async with opened(fake_scenes.ready()) as table:
        assert BY_ID["files"] not in offered(table.app.state)
        assert "⇄" not in table.text()
