"""Looking at the output, and typing into a run."""

from __future__ import annotations

from tui.commands.desk import Command, Desk
from tui.model.state import Pane, Typing


async def type_into(desk: Desk) -> None:
    desk.turn(Pane.OUTPUT)
    desk.output().to_end()
    desk.dispatch(Typing(True))


async def follow(desk: Desk) -> None:
    desk.text().to_end()


async def begin(desk: Desk) -> None:
    desk.text().to_begin()


async def wrap(desk: Desk) -> None:
    desk.text().toggle_wrap()


async def copy_output(desk: Desk) -> None:
    desk.copy(desk.text().visible_text())
    desk.say("The visible output is in the clipboard.")


COMMANDS: dict[str, Command] = {
    "type": type_into,
    "follow": follow,
    "begin": begin,
    "wrap": wrap,
    "copy-output": copy_output,
}
