"""Services and ports. An address with a token goes to the clipboard or the browser, never to the screen."""

from __future__ import annotations

from tui.commands.desk import Command, Desk
from tui.model.ports import addresses


async def open_address(desk: Desk) -> None:
    shown, used = addresses(desk.state, desk.state.port)
    if await desk.browse(used):
        desk.say(shown, title="Opened in the browser")
        return
    desk.copy(used)
    desk.say(f"{shown}: no display here, so it is in the clipboard instead.", title="Open this in your browser")


async def copy_address(desk: Desk) -> None:
    shown, used = addresses(desk.state, desk.state.port)
    desk.copy(used)
    desk.say(shown + (" (with its token)" if used != shown else ""), title="Copied")


async def service(desk: Desk) -> None:
    name = desk.state.port.removeprefix("service:")
    view = desk.state.service(name)
    if view is not None:
        await desk.client.service(name, "stop" if view.state in ("running", "starting") else "start")


async def service_restart(desk: Desk) -> None:
    await desk.client.service(desk.state.port.removeprefix("service:"), "restart")


COMMANDS: dict[str, Command] = {
    "open": open_address,
    "copy": copy_address,
    "service": service,
    "service-restart": service_restart,
}
