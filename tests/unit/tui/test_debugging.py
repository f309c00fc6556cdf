"""Debug sessions: listed, one chosen; and the debugger that comes into a run that goes on."""

from __future__ import annotations

import pytest

from devenv.api import fake_scenes
from devenv.api.fake_debug import SESSIONS
from devenv.errors import DebugError, NotFound
from tui.actions import BY_ID, offered
from tui.dialogs.chooser import Chooser
from tui.dialogs.question import Question
from tui.model.state import Chosen, Pane
from tui.screens.overlays import ReadingScreen

from .conftest import NARROW, WIDE, Open, Table


async def listed(table: Table) -> None:
    await table.press("L")
    await table.until(lambda: isinstance(table.app.screen, Chooser))


async def read(table: Table) -> None:
    await table.until(lambda: isinstance(table.app.screen, ReadingScreen))
    await table.settle()


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_list_says_of_each_what_is_known(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size=size) as table:
        await listed(table)
        rows = {view.name: row for view in SESSIONS for row in table.text().splitlines() if f" {view.name}  " in row}
        assert "* ◌ evaluate" in rows["evaluate"] and "port 24118" in rows["evaluate"]
        assert "attached" in rows["sweep"] and "2 silent" in rows["sweep"] and "*" not in rows["sweep"]
        assert (
            "left" in rows["sweep 2"] and "/data/loading.py:118 " in rows["sweep 2"] and "1 silent" in rows["sweep 2"]
        )
        assert "no port" in rows["serve"]
        assert "waits for a debugger; port 5678 leads to it now" in table.text()
        await table.press("down", "down")
        assert "stopped, its debugger is gone" in table.text() and "1 child process has no debugger" in table.text()
        assert "/home/ada/digits-pytorch/digits/data/loading.py:118" in table.text()
        assert "run r10, process 1344" in table.text()


async def test_the_port_leads_to_the_one_that_is_chosen(opened: Open) -> None:
    async with opened() as table:
        await listed(table)
        await table.press("down", "enter")
        await table.until(table.toasts)
        assert table.asked("debug_sessions") == [("",), ("sweep",)]
        assert table.toasts().strip() == "Port 5678 leads to sweep."
        await listed(table)
        assert "* ● sweep" in table.text(), "the cursor and the mark go with the choice"
        assert "runs under a debugger; port 5678 leads to it now" in table.text()


async def test_escape_chooses_none(opened: Open) -> None:
    async with opened() as table:
        await listed(table)
        await table.press("down", "escape")
        await table.until(lambda: not isinstance(table.app.screen, Chooser))
        assert table.asked("debug_sessions") == [("",)] and not table.toasts()


async def test_without_a_session_it_says_how_to_start_one(opened: Open) -> None:
    async with opened(fake_scenes.ready()) as table:
        await table.press("L")
        await table.until(table.toasts)
        assert table.toasts().strip() == "Nothing is debugged: d debugs what is chosen, B attaches to a run."
        assert not isinstance(table.app.screen, Chooser)


async def test_a_session_that_ended_meanwhile_is_an_error(opened: Open) -> None:
    async with opened() as table:
        await listed(table)
        table.client.sessions = SESSIONS[:1]
        await table.press("down", "enter")
        await table.until(table.toasts)
        assert "no debug session is called sweep" in table.toasts() and "there is evaluate" in table.toasts()


async def test_without_a_door_each_has_only_its_own_port(opened: Open) -> None:
    client = fake_scenes.busy()
    client.change(debug=None)
    async with opened(client) as table:
        await listed(table)
        assert "chooses it" in table.text() and "leads to it" not in table.text()
        await table.press("down", "enter")
        await table.until(table.toasts)
        assert table.toasts().strip() == "sweep is the chosen debug session."


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_attaching_shows_all_that_is_said(opened: Open, size: tuple[int, int]) -> None:
    client = fake_scenes.busy()
    last = "the very last word of it"
    client.attach_notes = [
        "it has other Python processes, each to be attached to by its number: 71, 72",
        f"x{last:>90}",
    ]
    async with opened(client, size) as table:
        await table.press("B")
        await read(table)
        assert table.asked("attach_debugger") == [("r8", False)]
        for words in ("ready at 127.0.0.1:5678: in train", "the program goes on", "by its number: 71, 72", last):
            assert words in " ".join(table.text().replace("│", " ").split()), words
        assert "devenv:" not in table.text()
        await table.press("escape", "L")
        await table.sees("Debug sessions")
        assert "▶ train" in table.text()


async def test_it_is_told_that_an_attach_goes_on(opened: Open) -> None:
    async with opened() as table:
        await table.press("B")
        await read(table)
        assert table.toasts().strip() == "Asking for the debugger in train."


async def test_a_run_under_the_debugger_gets_the_supervisors_words(opened: Open) -> None:
    async with opened() as table:
        table.app.dispatch(Chosen("r7"))
        await table.press("B")
        await read(table)
        assert "evaluate runs under the debugger already" in table.text()
        assert "attach to it: F5, or devenv status" in table.text()


async def test_a_refusal_is_read_in_full(opened: Open) -> None:
    client = fake_scenes.busy()
    client.fail_next(
        "attach_debugger", NotFound("train is no Python program\nand has started none", "see: devenv exec")
    )
    async with opened(client, NARROW) as table:
        await table.press("B")
        await read(table)
        assert "no Python program" in table.text() and "has started none" in table.text()
        assert "see: devenv exec" in table.text()


ASKS = DebugError("another user's process", "devenv debug --attach --privileged", details={"ask": "privileged"})


@pytest.mark.parametrize(("key", "asked"), [("n", [("r8", False)]), ("y", [("r8", False), ("r8", True)])])
async def test_more_rights_are_a_persons_to_give(opened: Open, key: str, asked: list[tuple[object, ...]]) -> None:
    client = fake_scenes.busy()
    client.fail_next("attach_debugger", ASKS)
    async with opened(client, NARROW) as table:
        await table.press("B")
        await table.until(lambda: isinstance(table.app.screen, Question))
        assert "another user's process" in table.text() and "every capability" in table.text()
        await table.press(key)
        await table.until(lambda: not isinstance(table.app.screen, Question))
        await table.until(lambda: table.asked("attach_debugger") == asked)
        if key == "y":
            await read(table)
            assert "debugger ready" in table.text()
        else:
            assert not isinstance(table.app.screen, ReadingScreen)


async def test_rights_that_do_not_help_are_a_refusal_too(opened: Open) -> None:
    client = fake_scenes.busy()
    client.fail_next("attach_debugger", ASKS)
    client.fail_next("attach_debugger", DebugError("the kernel forbids it", "start it with devenv debug"))
    async with opened(client) as table:
        await table.press("B")
        await table.until(lambda: isinstance(table.app.screen, Question))
        await table.press("y")
        await read(table)
        assert "the kernel forbids it" in table.text() and "start it with devenv debug" in table.text()


async def test_they_are_offered_where_runs_are(opened: Open) -> None:
    both = {"debug-sessions", "attach-debugger"}
    async with opened() as table:
        for pane, there in ((Pane.RUNS, both), (Pane.OUTPUT, both), (Pane.TESTS, set())):
            table.app.turn(pane)
            await table.settle()
            assert {action.id for action in offered(table.app.state)} & both == there
        table.app.dispatch(Chosen("r6"))
        assert not BY_ID["attach-debugger"].when(table.app.state), "an ended run has nothing to attach to"
