"""Conflicts between this machine's files and the container's, ended by a person's choice."""

from __future__ import annotations

from tui.commands.desk import Command, Desk
from tui.model.files import conflict_choices, diff_lines, halt_choices, take_choices, told


async def files(desk: Desk) -> None:
    sync, _ = await desk.client.sync("status")
    if sync is None:
        desk.say("The project is mounted: there is nothing to keep the same.")
        return
    if sync.state == "halted":
        match await desk.pick(halt_choices(sync)):
            case "reset":
                await desk.client.sync("reset")
            case "delete":
                await desk.client.sync("resume", allow_deletions=True)
        return
    if sync.state == "paused":
        sync, _ = await desk.client.sync("resume")
    while sync is not None and sync.conflicts:
        path = await desk.pick(conflict_choices(sync))
        if not path:
            return
        take = await desk.pick(take_choices(path))
        if take == "diff":
            _, text = await desk.client.sync("diff", name=path)
            desk.read(path, diff_lines(text))
            return
        if take:
            sync, text = await desk.client.sync("resolve", name=path, take=take)
            desk.say(text)
    if sync is not None:
        desk.say(told(sync))


COMMANDS: dict[str, Command] = {"files": files}
