"""Which of several configurations of the folder is shown."""

from __future__ import annotations

from devenv.errors import DevenvError
from tui.commands.desk import Command, Desk
from tui.model.configurations import configuration_choices


async def choose(desk: Desk) -> None:
    """Leaves the configuration that is shown, as closing the window would, and goes on with another one."""
    found = await desk.client.configurations()
    env = desk.state.snapshot.environment if desk.state.snapshot else None
    current = env.config_file if env else ""
    chosen = await desk.pick(configuration_choices(found, current))
    if not chosen or chosen == current:
        return
    if env is not None and env.shutdown_action in ("stopContainer", "stopCompose"):
        desk.say(f"{env.name}: shutdownAction is {env.shutdown_action}.", title="Leaving it")
        try:
            if said := await desk.client.leave():
                desk.say(said)
        except DevenvError as error:
            desk.say(error.hint, title=error.message, bad=True)
    desk.switch(chosen)


COMMANDS: dict[str, Command] = {"configurations": choose}
