"""What is done when servers begin to listen: the browser is opened, or the person is told. Never for silent ones."""

from __future__ import annotations

from devenv.api.views import PortView
from tui.commands.desk import Desk
from tui.model.openings import BROWSER, messages, name, place, row_key
from tui.model.ports import addresses


async def greet(desk: Desk, ports: list[PortView]) -> None:
    """Of several front ends one opens a page; where none can be seen, or it was opened before, its address is said."""
    said = []
    for port in ports:
        if not await _opened(desk, port):
            said.append(port)
    for title, text, bad in messages(said):
        desk.say(text, title=title, bad=bad)


async def _opened(desk: Desk, port: PortView) -> bool:
    if port.auto_forward not in BROWSER or port.host_port is None or port.since is None or not desk.sees_browser():
        return False
    _, address = addresses(desk.state, row_key(desk.state, port))
    if not address or not await desk.client.claim_opening(port.port, port.since) or not await desk.browse(address):
        return False
    desk.say(place(port), title=f"Opened {name(port)} in the browser")
    return True
