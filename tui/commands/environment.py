"""Bringing the environment up and down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from devenv.errors import DevenvError, LiveRuns, NotFound, Refused
from tui.commands.desk import Command, Desk
from tui.dialogs.question import Ask
from tui.model.formatting import duration
from tui.model.state import Began, Finished, Progressed


async def forced(desk: Desk, title: str, yes: str, call: Callable[[bool], Awaitable[object]]) -> bool:
    """Calls without force; what stands in the way is named and asked about. False: the user said no.

    That is live runs, or what the container holds outside mounts.
    """
    try:
        await call(False)
    except LiveRuns as refused:
        names = tuple(run.name for run in desk.state.live_runs) or (refused.message,)
        text = "These runs are alive and would be ended (INT, then TERM, then KILL):"
        if not await desk.ask(Ask(title, text, yes, names)):
            return False
        await call(True)
    except Refused as refused:
        lines = (refused.details or {}).get("lines")
        if not lines:
            raise
        names = tuple(str(line) for line in lines)
        if not await desk.ask(Ask("These would be lost", f"{refused.message}:", yes, names)):
            return False
        await call(True)
    return True


async def _long(desk: Desk, title: str, done: str, work: Callable[[], Awaitable[bool]]) -> None:
    """Long work with its progress on the screen."""
    began = desk.now()
    desk.dispatch(Began(title, began))
    desk.overlay("progress")
    try:
        went = await work()
    except DevenvError as error:
        desk.dispatch(Finished(desk.now(), error.message, error.hint))
        desk.overlay("progress")
        return
    desk.dispatch(Finished(desk.now()))
    desk.close_progress()
    if went:
        desk.say(f"{done} in {duration(desk.now() - began)}.")


def _progress(desk: Desk) -> Callable[[object], None]:
    return lambda item: desk.dispatch(Progressed(item, desk.now()))  # type: ignore[arg-type]


async def up(desk: Desk) -> None:
    async def work() -> bool:
        try:
            await desk.client.up(_progress(desk))
        except NotFound as error:
            if (error.details or {}).get("offer") != "init":
                raise
            text = "This folder has no devcontainer.json. One can be written from what the project shows."
            if not await desk.ask(Ask("Write a devcontainer.json?", text, "Write it and go on", danger=False)):
                return False
            for reason in await desk.client.init():
                desk.dispatch(Progressed(reason, desk.now()))
            await desk.client.up(_progress(desk))
        return True

    await _long(desk, "Bringing up", "The environment is up", work)


async def rebuild(desk: Desk) -> None:
    name = desk.state.snapshot.environment.container if desk.state.snapshot else ""
    text = f"{name or 'The container'} is made anew from the configuration. What it holds outside mounts is lost."
    if not await desk.ask(Ask("Rebuild the container?", text, "Rebuild")):
        return

    async def work() -> bool:
        return await forced(
            desk,
            "Rebuild and end live runs?",
            "End them and rebuild",
            lambda force: desk.client.up(_progress(desk), rebuild=True, force=force),
        )

    await _long(desk, "Rebuilding", "Rebuilt", work)


async def start(desk: Desk) -> None:
    async def work() -> bool:
        await desk.client.start(_progress(desk))
        return True

    await _long(desk, "Starting", "Started", work)


async def stop(desk: Desk) -> None:
    if await forced(desk, "Stop and end live runs?", "End them and stop", lambda force: desk.client.stop(force=force)):
        desk.say("The container is stopped.")


async def _down(desk: Desk, volumes: bool) -> None:
    what = "the container and its volumes" if volumes else "the container"
    text = f"This removes {what}. What it holds outside mounts is lost."
    if volumes:
        text += " Caches and the outputs of runs in volumes are lost too."
    if not await desk.ask(Ask(f"Remove {what}?", text, "Remove")):
        return
    if await forced(
        desk,
        "Remove and end live runs?",
        "End them and remove",
        lambda force: desk.client.down(volumes=volumes, force=force),
    ):
        desk.say(f"Removed {what}.")


async def down(desk: Desk) -> None:
    await _down(desk, volumes=False)


async def down_volumes(desk: Desk) -> None:
    await _down(desk, volumes=True)


async def progress(desk: Desk) -> None:
    desk.overlay("progress")


async def details(desk: Desk) -> None:
    desk.overlay("details")


COMMANDS: dict[str, Command] = {
    "up": up,
    "start": start,
    "stop": stop,
    "rebuild": rebuild,
    "down": down,
    "down-volumes": down_volumes,
    "progress": progress,
    "details": details,
}
