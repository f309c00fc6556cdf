"""Several configurations in one folder: asked for, remembered, switched."""

from __future__ import annotations

import pytest

from devenv.api import fake_scenes
from devenv.api.fake import FakeClient
from devenv.errors import EngineMissing
from tui.dialogs.chooser import Chooser
from tui.model.configurations import short_name
from tui.model.state import Link

from .conftest import NARROW, Open, Table

CPU, CLUSTER = (view.file for view in fake_scenes.CONFIGURATIONS[1:3])


async def asked(table: Table) -> None:
    await table.until(lambda: isinstance(table.app.screen, Chooser))


async def test_a_folder_without_a_default_asks(opened: Open) -> None:
    async with opened(fake_scenes.undecided()) as table:
        await asked(table)
        await table.press("down", "enter")
        await table.until(lambda: table.app.state.snapshot is not None)
        assert table.asked("choose") == [(CLUSTER,)]
        assert table.app.state.link is Link.LIVE and "cluster" in table.text()


async def test_escape_leaves_it_open_and_c_asks_again(opened: Open) -> None:
    async with opened(fake_scenes.undecided(), NARROW) as table:
        await asked(table)
        await table.press("escape", "2")
        assert table.app.state.link is Link.ASKING
        assert "several configurations" in table.text() and "C chooses one" in table.text()
        await table.press("C")
        await asked(table)
        await table.press("enter")
        await table.until(lambda: table.app.state.link is Link.LIVE)
        assert table.asked("choose") == [(CPU,)]


async def test_the_choice_of_last_time_is_taken_and_told(opened: Open) -> None:
    async with opened(fake_scenes.undecided(remembered=CPU)) as table:
        await table.until(lambda: table.app.state.snapshot is not None)
        assert table.asked("choose") == [(CPU,)]
        assert "last time" in table.toasts() and ".devcontainer/cpu/devcontainer.json" in table.toasts()


def several() -> FakeClient:
    client = fake_scenes.ready()
    client.configuration_views = fake_scenes.CONFIGURATIONS
    client.change_environment(others=[view.file for view in fake_scenes.CONFIGURATIONS[1:]])
    return client


async def test_another_one_is_shown_from_then_on(opened: Open) -> None:
    async with opened(several()) as table:
        await table.press("3", "C")
        await asked(table)
        await table.press("down", "enter")
        await table.until(lambda: table.asked("choose"))
        await table.until(lambda: table.app.state.snapshot is not None)
        assert table.asked("choose") == [(CPU,)] and table.asked("leave") == []
        assert table.app.state.side.value == "tests", "the screen stays as it was arranged"


@pytest.mark.parametrize("key", ["escape", "enter"])
async def test_none_or_the_same_one_changes_nothing(opened: Open, key: str) -> None:
    async with opened(several()) as table:
        await table.press("C")
        await asked(table)
        await table.press(key)
        await table.until(lambda: not isinstance(table.app.screen, Chooser))
        assert table.asked("choose") == []


async def test_the_one_that_is_left_is_stopped_if_it_says_so(opened: Open) -> None:
    client = several()
    client.change_environment(shutdown_action="stopContainer")
    client.farewell = "digits-pytorch is stopped"
    async with opened(client) as table:
        await table.press("C")
        await asked(table)
        await table.press("down", "enter")
        await table.until(lambda: table.asked("choose"))
        assert table.asked("leave") == [()] and "digits-pytorch is stopped" in table.toasts()


async def test_what_cannot_be_used_cannot_be_chosen(opened: Open) -> None:
    async with opened(several()) as table:
        await table.press("C")
        await asked(table)
        assert "cannot be used" in table.text() and "expected a text" in table.text()
        await table.press("end", "enter")
        await table.until(lambda: table.asked("choose"))
        assert table.asked("choose") == [(CLUSTER,)]


async def test_a_list_that_cannot_be_had_is_an_error(opened: Open) -> None:
    client = fake_scenes.undecided()
    client.fail_next("configurations", EngineMissing("no engine answers", "start it"))
    async with opened(client) as table:
        await table.until(table.toasts)
        assert "no engine answers" in table.toasts() and table.app.state.link is Link.ASKING


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/home/ada/p/.devcontainer/gpu/devcontainer.json", "gpu"),
        ("/home/ada/p/.devcontainer/devcontainer.json", ".devcontainer/devcontainer.json"),
        ("/elsewhere/x.json", "/elsewhere/x.json"),
        ("", ""),
    ],
)
def test_short_names(file: str, name: str) -> None:
    client = fake_scenes.ready()
    client.change_environment(config_file=file, local_folder="/home/ada/p")
    assert short_name(client.snapshot.environment) == name
