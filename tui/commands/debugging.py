"""Which debug session the environment's debug port leads to, and the debugger that comes into a run that goes on."""

from __future__ import annotations

from devenv.errors import DevenvError
from tui.actions import BY_ID
from tui.commands.desk import Command, Desk
from tui.dialogs.question import Ask
from tui.model.debugging import answer_lines, led_to, refusal_lines, session_choices

TITLE = "Attach the debugger"


async def sessions(desk: Desk) -> None:
    views, door = await desk.client.debug_sessions()
    if not views:
        start, attach = BY_ID["debug"].key_text, BY_ID["attach-debugger"].key_text
        desk.say(f"Nothing is debugged: {start} debugs what is chosen, {attach} attaches to a run.")
        return
    folder = desk.state.snapshot.environment.local_folder if desk.state.snapshot else ""
    if chosen := await desk.pick(session_choices(views, door, folder)):
        desk.say(led_to(*await desk.client.debug_sessions(select=chosen)))


async def attach(desk: Desk) -> None:
    """Says all that the supervisor says. Rights that it asks for are a person's to give, each time."""
    run = desk.state.run(desk.state.selected)
    if run is None:
        return
    desk.say(f"Asking for the debugger in {run.name}.")
    try:
        text = await desk.client.attach_debugger(run.id)
    except DevenvError as error:
        if error.details.get("ask") != "privileged":
            desk.read(TITLE, refusal_lines(error))
            return
        if not await desk.ask(_rights(error.message)):
            return
        try:
            text = await desk.client.attach_debugger(run.id, privileged=True)
        except DevenvError as refused:
            desk.read(TITLE, refusal_lines(refused))
            return
    desk.read(TITLE, answer_lines(text))


def _rights(why: str) -> Ask:
    text = (
        f"{why}\n\nDo it as root with every capability, by the container's own Python? Only where you trust this"
        " container with root's rights on its host."
    )
    return Ask("The debugger needs more rights", text, "Attach as root")


COMMANDS: dict[str, Command] = {"debug-sessions": sessions, "attach-debugger": attach}
