"""One call of `up`: who asks, for what, on which engine, and what is noted on the way. Shared by its parts."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Awaitable, Callable, Sequence

from devcontainer.merge import Merged, merge
from devenv.api.context import ClientContext
from devenv.config import DevenvConfig
from devenv.engine.port import ContainerSnapshot, Engine, EngineInfo, Progress
from devenv.environment import link_folder, settings
from devenv.environment.files import Synced
from devenv.environment.home import Home
from devenv.environment.image.nearby import Nearby, NearbyFor, Provider
from devenv.environment.inside.users import HostUser
from devenv.environment.plan import UpOptions
from devenv.environment.records import Record, RecordFile
from devenv.environment.shape import Host
from devenv.environment.target import Target
from devenv.errors import ConfigError, DevenvError
from devenv.lifecycle.trust import Claim

_ONCE = (
    "live-restore",
    "docker compose up",
    "would like the secret",
    "timers of systemd",
    "SELinux is on",
    "when you log out",
    "Docker Desktop shares folders slowly",
)
"""What is always true of a machine or a project is told once per environment."""


Arrived = Callable[[ContainerSnapshot, str, Progress], Awaitable[None]]
"""Told of the container, running, and its remote user, before any lifecycle command: what must be there for them is
brought. Raises what then ends the `up`; the container stays, for the next one."""


Leaving = Callable[[Synced], Awaitable[None]]
"""Told of folders before there is a container for them. Raises what then ends the `up`, with nothing done."""


@dataclasses.dataclass(slots=True)
class Job:
    """Held under the environment's lock. `record` is written by `save` only."""

    home: Home
    engine: Engine
    target: Target
    ctx: ClientContext
    options: UpOptions
    progress: Progress
    file: RecordFile
    record: Record
    notes: list[str] = dataclasses.field(default_factory=list)
    arrived: Arrived | None = None
    leaving: Leaving | None = None
    nearby: NearbyFor | None = None

    @property
    def images(self) -> Provider:
        async def near() -> Nearby | None:
            return await self.nearby(self.ctx) if self.nearby is not None else None

        return Provider(self.engine, self.home, self.progress, near)

    @property
    def host_user(self) -> HostUser:
        return HostUser.of(self.ctx.uid)

    @property
    def folder(self) -> pathlib.Path:
        return self.home.folder(self.target.key)

    @property
    def tail(self) -> str:
        """Of our names, where another owner has the plain ones on a shared engine."""
        user, _, machine = self.home.owner.partition("@")
        return f"-{user}-{machine[:6]}"

    def host(self, info: EngineInfo) -> Host:
        link = str(link_folder.folder(self.folder)) if info.is_local_socket else None
        return Host(self.home.owner, self.home.version, self.ctx.uid, link, self._syncs(info))

    def _syncs(self, info: EngineInfo) -> bool:
        """Whether the project's files are copied and kept the same, instead of being mounted. The drop-in (which has no
        personal files) mounts, as the reference does."""
        if not self.target.choice.personal:
            return False
        said = self.settings(merge([])).sync.on
        return said == "always" or (said != "never" and not info.is_local_socket)

    def require_trust(self, claims: Sequence[Claim]) -> None:
        """Raises `Refused` for what the repository may not do on this machine."""
        options = self.options
        self.home.trust.require(self.target.local_folder, claims, given=options.trust, agreed=options.agreed)

    def settings(self, merged: Merged) -> DevenvConfig:
        """devenv's own settings; a devenv.yaml that cannot be read is told and counts as none."""
        try:
            return settings.of(self.target, merged)
        except ConfigError as error:
            if error.message not in self.notes:
                self.note(error.message, level="warning")
            return DevenvConfig()

    async def remove(self, container: ContainerSnapshot) -> None:
        """The container alone, whether or not it can be stopped; of a Compose project, the other services stay."""
        self.progress.step("remove", f"Removing {container.name}")
        if container.status == "running":
            with contextlib.suppress(DevenvError):
                await self.engine.stop(container.id)
        await self.engine.remove(container.id, force=True)
        self.progress.done("remove")

    def save(self) -> None:
        self.file.save(self.record)

    def forget(self) -> None:
        """The container is gone. Of a Compose project the name stays: its other services may be left."""
        if not self.record.project:
            self.file.forget()
            return
        project = self.record.project
        self.new_record("", "").project = project
        self.save()

    def new_record(self, container: str, user: str) -> Record:
        """A record for a container that is new to us; what was said once stays said."""
        self.record = Record(
            local_folder=self.target.local_folder,
            config_file=self.target.config_file,
            container=container,
            remote_user=user,
            workspace_folder=self.target.workspace_folder,
            said=self.record.said,
            secrets_file=self.record.secrets_file,
        )
        return self.record

    def note(self, text: str, *, level: str = "") -> None:
        """Told now and in the result."""
        if any(mark in text for mark in _ONCE):
            if text in self.record.said:
                return
            self.record.said = [*self.record.said, text]
        self.notes.append(text)
        self.progress.note(text, level=level or ("warning" if "belong to root" in text else "info"))
