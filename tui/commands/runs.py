"""Starting, ending and repeating runs."""

from __future__ import annotations

import shlex

from tui.commands.desk import Command, Desk
from tui.model.profiling import profile_lines, stack_lines
from tui.model.state import Chosen, Pane

PROFILE_SECONDS = 10


async def launch(desk: Desk, target: str, args: list[str], *, debug: bool = False, wait: bool = False) -> None:
    run = await desk.client.run(target, args, debug=debug, wait=wait)
    _show(desk, run)


def _show(desk: Desk, run: str) -> None:
    """Shows the output of a run that was just started; in a small terminal that turns to its tab."""
    desk.dispatch(Chosen(run, started=True))
    if not desk.state.wide:
        desk.turn(Pane.OUTPUT)


async def run(desk: Desk) -> None:
    await launch(desk, desk.state.config, [])


async def debug(desk: Desk) -> None:
    await launch(desk, desk.state.config, [], debug=True, wait=True)
    if (door := desk.state.snapshot.debug if desk.state.snapshot else None) is not None:
        desk.say(f"Attach your editor to {door.host}:{door.port}.", title="Waiting for a debugger")


async def debug_free(desk: Desk) -> None:
    await launch(desk, desk.state.config, [], debug=True)


async def script(desk: Desk) -> None:
    answer = await desk.prompt("Run a script", "train.py --epochs 3")
    if answer is None:
        return
    try:
        target, *args = shlex.split(answer)
    except ValueError as error:
        desk.say(f"{error}.", title="That cannot be split into words", bad=True)
        return
    await launch(desk, target, args)


async def end(desk: Desk) -> None:
    if desk.state.selected is not None:
        await desk.client.end_run(desk.state.selected)


async def kill(desk: Desk) -> None:
    if desk.state.selected is not None:
        await desk.client.end_run(desk.state.selected, force=True)


async def rerun(desk: Desk) -> None:
    if desk.state.selected is not None:
        _show(desk, await desk.client.rerun(desk.state.selected))


async def stack(desk: Desk) -> None:
    if desk.state.selected is not None:
        desk.read("Stack", stack_lines(await desk.client.stack(desk.state.selected)))


async def profile(desk: Desk) -> None:
    if desk.state.selected is not None:
        desk.say(f"Recording for {PROFILE_SECONDS} s; the run goes on.")
        result = await desk.client.profile(desk.state.selected, PROFILE_SECONDS)
        desk.read("Profile", profile_lines(result))


COMMANDS: dict[str, Command] = {
    "run": run,
    "debug": debug,
    "debug-free": debug_free,
    "script": script,
    "end": end,
    "kill": kill,
    "rerun": rerun,
    "stack": stack,
    "profile": profile,
}
