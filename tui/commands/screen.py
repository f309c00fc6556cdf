"""Moving about, help, themes, leaving."""

from __future__ import annotations

from tui.commands.desk import Command, Desk
from tui.model.state import Pane


def _turn(pane: Pane) -> Command:
    async def turn(desk: Desk) -> None:
        desk.turn(pane)

    return turn


def _overlay(name: str) -> Command:
    async def overlay(desk: Desk) -> None:
        desk.overlay(name)

    return overlay


async def theme(desk: Desk) -> None:
    desk.say(f"Theme {desk.next_theme()}.")


async def reconnect(desk: Desk) -> None:
    desk.reconnect()


async def leave(desk: Desk) -> None:
    desk.leave()


COMMANDS: dict[str, Command] = {
    **{f"pane-{pane.value}": _turn(pane) for pane in Pane},
    "theme": theme,
    "reconnect": reconnect,
    "palette": _overlay("palette"),
    "help": _overlay("help"),
    "quit": leave,
}
