"""Running tests."""

from __future__ import annotations

from tui.commands.desk import Command, Desk
from tui.model.state import Chosen, Pane
from tui.model.tests import failed_ids


async def _run(desk: Desk, args: list[str]) -> None:
    await desk.client.test(args)
    if not desk.state.shows(Pane.TESTS):
        desk.turn(Pane.TESTS)


async def test(desk: Desk) -> None:
    await _run(desk, [])


async def test_failed(desk: Desk) -> None:
    await _run(desk, failed_ids(desk.state))


async def test_one(desk: Desk) -> None:
    await _run(desk, [desk.state.test.partition(":")[2]])


async def watch(desk: Desk) -> None:
    if desk.state.snapshot is not None:
        await desk.client.watch_tests(not desk.state.snapshot.tests.watching)


async def test_output(desk: Desk) -> None:
    if desk.state.snapshot is not None and desk.state.snapshot.tests.run is not None:
        desk.dispatch(Chosen(desk.state.snapshot.tests.run))
        desk.turn(Pane.OUTPUT)


COMMANDS: dict[str, Command] = {
    "test": test,
    "test-failed": test_failed,
    "test-one": test_one,
    "watch": watch,
    "test-output": test_output,
}
