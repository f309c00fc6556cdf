"""The action table against commands, help, palette and documentation."""

from __future__ import annotations

import pytest
from textual.command import CommandPalette
from textual.widgets import Input

from tui.actions import ACTIONS, BY_ID, GROUPS, markdown, offered
from tui.commands import COMMANDS
from tui.commands.palette import Actions
from tui.commands.palette import title as palette_title
from tui.model.help import help_lines
from tui.model.spans import plain
from tui.model.state import State

from .conftest import Open


def test_every_action_has_a_command_and_every_command_an_action() -> None:
    assert set(COMMANDS) == set(BY_ID)


def test_ids_and_keys_are_used_once() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys)) and len(BY_ID) == len(ACTIONS)


@pytest.mark.parametrize("cells", [70, 136])
def test_every_action_is_in_the_help(cells: int) -> None:
    text = plain(help_lines(cells))
    assert [action.id for action in ACTIONS if action.text not in text] == []
    assert all(group in text for group in GROUPS)


def test_every_action_is_in_the_documentation() -> None:
    table = markdown()
    assert [action.id for action in ACTIONS if f"| {action.text} |" not in table] == []


async def test_every_action_that_makes_sense_is_in_the_palette(opened: Open) -> None:
    async with opened() as table:
        await table.press("ctrl+p")
        provider = Actions(table.app.screen)
        found = {hit.display for hit in [hit async for hit in provider.discover()]}
        fitting = {palette_title(a) for a in ACTIONS if a.id != "palette" and a.when(table.app.state)}
        assert found == fitting and len(fitting) > 25


async def test_the_palette_finds_and_runs_an_action(opened: Open) -> None:
    async with opened() as table:
        await table.press("ctrl+p")
        await table.until(lambda: isinstance(table.app.screen, CommandPalette))
        table.app.screen.query_one(Input).value = "Run all tests"
        await table.sees("Run all tests")
        await table.pilot.pause(0.3)
        await table.press("enter")
        if isinstance(table.app.screen, CommandPalette):
            await table.press("enter")
        await table.until(lambda: table.asked("test") == [((),)])


def test_no_action_needs_a_snapshot_to_be_offered() -> None:
    assert {action.id for action in offered(State())} >= {"help", "quit"}
    for action in ACTIONS:
        action.when(State())
