"""Images that an engine elsewhere needs and this machine's own engine has: sent there when they cannot be pulled.

An image that no registry knows is never pulled: somebody else's could have its name there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable

from devenv.api.context import ClientContext
from devenv.engine.moving import fits, full_name, move, refuse_other_machine
from devenv.engine.port import Engine, ImageSnapshot, Progress
from devenv.environment.home import Home
from devenv.errors import ImageMissing

REPOSITORY = "devenv/sent"


@dataclasses.dataclass(frozen=True, slots=True)
class Nearby:
    """This machine's own engine, beside another one. `to` is what people call that one."""

    engine: Engine
    to: str


NearbyFor = Callable[[ClientContext], Awaitable[Nearby | None]]
"""None where the engine that a client means is this machine's own, or this machine has none that answers."""


class Provider:
    """Where one job's images come from."""

    def __init__(
        self, engine: Engine, home: Home, progress: Progress, near: Callable[[], Awaitable[Nearby | None]]
    ) -> None:
        self._engine = engine
        self._home = home
        self._progress = progress
        self._near = near

    async def obtain(self, reference: str) -> tuple[str, ImageSnapshot]:
        """Pulled, or sent; and the name that the engine knows it by. Raises `ImageMissing` when neither can be."""
        near, ours = await self._ours(reference)
        if near is None or ours is None:
            return reference, await self._engine.pull(reference, self._progress)
        info = await self._engine.info()
        if _only_here(ours) and fits(ours, info):
            return await self._send(near, reference)
        try:
            return reference, await self._engine.pull(reference, self._progress)
        except ImageMissing as error:
            refuse_other_machine(ours, info, near.to)
            reason = error.details.get("reason") or error.message
            self._progress.note(f"{near.to} cannot pull {reference}: it gets the one that is here ({reason})")
            return await self._send(near, reference)

    async def prepare(self, references: Iterable[str]) -> None:
        """What the engine lacks of these and this machine has. What neither has is left to whoever needs it."""
        for reference in references:
            if (await self._ours(reference))[1] is not None and await self._engine.image(reference) is None:
                await self.obtain(reference)

    async def _ours(self, reference: str) -> tuple[Nearby | None, ImageSnapshot | None]:
        near = await self._near()
        return near, await near.engine.image(full_name(reference)) if near is not None and reference else None

    async def _send(self, near: Nearby, reference: str) -> tuple[str, ImageSnapshot]:
        """An image that is named by its digest gets a name of ours: no engine learns a digest from an archive."""
        folder = self._home.cache / "images"
        image = (await move(near.engine, self._engine, reference, self._progress, to=near.to, folder=folder)).image
        if "@" not in reference:
            return reference, image
        name = f"{REPOSITORY}:{image.id.removeprefix('sha256:')[:24]}"
        await self._engine.tag(image.id, name)
        return name, image


def _only_here(image: ImageSnapshot) -> bool:
    """Neither pulled nor pushed under any name."""
    return not image.raw.get("RepoDigests")
