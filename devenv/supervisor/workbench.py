"""One environment as the supervisor holds it: its container, its links, its forwards and what is known of its runs.

Nothing here that cannot be rebuilt from the engine's labels and the records on disk. Verbs read and call; only this
file changes the state.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pathlib
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from devenv.api.views import DriftView
from devenv.debug.attach.book import Book
from devenv.debug.endpoints import read_endpoints
from devenv.debug.sessions import DebugSessions
from devenv.engine.docker_adapter import DockerEngine
from devenv.engine.port import ContainerSnapshot, Engine, EngineEvent
from devenv.environment import adopt, link_folder
from devenv.environment.inside.probe import ProbedEnv
from devenv.environment.target import Target
from devenv.errors import DevenvError, LinkError, NoPython, NotUp
from devenv.forward.forwarder import Forwarder
from devenv.forward.reverse import ReverseForwards
from devenv.forward.settings import ForwardSettings
from devenv.hosts.failures import lost
from devenv.link.dial import open_link
from devenv.link.port import Link, Tier
from devenv.runs.tests import TestReport
from devenv.runs.workspace import WorkspacePaths
from devenv.supervisor.background import Background
from devenv.supervisor.changes import Changes
from devenv.supervisor.operation import Operation
from devenv.supervisor.run_book import RunBook

if TYPE_CHECKING:
    from devenv.hosts.connection import Connection
    from devenv.services.service_book import ServiceBook
    from devenv.supervisor.files import Files

log = logging.getLogger("devenv.supervisor")

_RETRY = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to reach an agent that went away
_FIGURES_WITHIN = 2.0  # seconds


class Workbench:
    """Concurrency: everything runs on the supervisor's loop; `link()` may be asked for by many at once."""

    def __init__(self, target: Target, engine: DockerEngine, folder: pathlib.Path) -> None:
        self.target = target
        self.engine: Engine = engine
        self.endpoint = engine.endpoint
        self.carrier: Callable[[], Connection | None] = lambda: None  # of an engine on another machine
        self.folder = folder
        self.changes = Changes()
        self.forwarder = Forwarder(
            target.key, folder / "ports.json", ForwardSettings(), time.monotonic, self.changes.touch, self.note
        )
        self.reverse = ReverseForwards()
        self.runs = RunBook(folder / "runs.json", self.changes.touch)
        self.sessions = DebugSessions()
        self.attached = Book(folder / "attached.json")
        self.tests: TestReport | None = None
        self.test_watch: asyncio.Task[None] | None = None
        self.services: ServiceBook | None = None
        self.files: Files | None = None  # where the project is copied and kept the same
        self.container: ContainerSnapshot | None = None
        self.remote_user = ""
        self.paths = WorkspacePaths(target.local_folder, target.workspace_folder)
        self.adopted = False
        self.notes: list[str] = []
        self.misread = ""  # why the configuration cannot be used as it is now
        self.drift: list[DriftView] = []
        self.unfinished = False  # whether stages of the lifecycle follow, behind everybody's back
        self.pending: list[str] = []  # those of them that have commands
        self.owner = ""  # another owner whose container has the same project path
        self.tier = Tier.AUTO
        self.probed: ProbedEnv | None = None
        self.no_python = ""  # why no agent can run in this image; "" when one can
        self.operation: Operation | None = None
        self.engine_lost = False
        self.fronts: list[str] = []  # front ends that watch, one for each watch
        self.guests = 0  # commands and shells that are open in it, for as long as their clients live
        self.retired = False  # a successor has taken over: see devenv.supervisor.handover
        self._links: dict[str, Link] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._background = Background(f"env={target.key}")
        self.usage: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None  # two `stats`, older first

    def use_engine(self, engine: DockerEngine) -> None:
        """Another one from now on: nothing of this environment is on the one before."""
        self.engine, self.endpoint = engine, engine.endpoint

    @property
    def round_trip(self) -> float | None:
        """Seconds to the engine's machine and back, where that is known."""
        carrier = self.carrier()
        return carrier.round_trip if carrier is not None and carrier.connected else None

    # --- the container ---

    @property
    def running(self) -> bool:
        return self.container is not None and self.container.status == "running"

    def require_running(self) -> ContainerSnapshot:
        container = self.container
        if container is None:
            raise NotUp(f"{self.target.name} has no container yet", "run: devenv up")
        if container.status != "running":
            hint = f"run: docker unpause {container.name}" if container.status == "paused" else "run: devenv start"
            raise NotUp(f"{self.target.name} is {container.status}", hint)
        return container

    async def adopt(self, container: ContainerSnapshot, user: str, workspace: str, *, adopted: bool) -> None:
        """The container that `up` found or made, or that was running when the supervisor started."""
        other = self.container is None or self.container.id != container.id
        restarted = self.container is not None and self.container.started_at != container.started_at
        self.container = container
        self.remote_user = user
        self.adopted = adopted
        project = adopt.project_folder(self.target, container)
        self.paths = WorkspacePaths(self.target.local_folder, project, workspace)
        if other or restarted:
            await self.drop_links()
            self.probed = None
            self.no_python = ""
        self.changes.touch()

    async def on_event(self, event: EngineEvent) -> None:
        """What the engine says of our container."""
        if event.type == "engine":
            self.engine_lost = event.action == "lost"
            if event.action == "back" and self.container is not None:
                await self.refresh()
            self.changes.touch()
            return
        if self.container is None or event.id != self.container.id:
            return
        if event.action in ("die", "destroy"):
            await self._ended()
        await self.refresh()

    async def refresh(self) -> None:
        """Asks the engine what became of the container."""
        before = self.container
        if before is None:
            return
        now = await self.engine.inspect(before.id)
        if now is None or now.started_at != before.started_at:
            await self._ended()
        self.container = now
        self.changes.touch()
        if now is None:
            await self.drop_files()
        if now is not None and now.status == "running" and now.started_at != before.started_at:
            self._background.start(self._reconnect(), "reconnect")

    async def _ended(self) -> None:
        """The container is down, or has been: what lived in it is gone, and what was seen in it may be otherwise."""
        await self.drop_links()
        self.probed = None
        self.no_python = ""
        self.runs.container_ended(time.time())
        if self.services is not None:
            self.services.container_ended()

    async def _reconnect(self) -> None:
        """After a restart from outside: the link again, and with it the forwards and the runs' records."""
        if self.retired:
            return
        with contextlib.suppress(DevenvError):
            await self.link()

    # --- the links ---

    async def link(self, user: str = "") -> Link:
        """The live link of a user (default: the remote user), opened when needed. NoPython says what is missing."""
        user = user or self.remote_user
        link = self._links.get(user)
        if link is not None and not link.closed:
            return link
        async with self._opening.setdefault(user, asyncio.Lock()):
            link = self._links.get(user)
            if link is not None and not link.closed:
                return link
            container = self.require_running()
            carrier = self.carrier()
            if carrier is not None and not carrier.connected:
                raise carrier.problem or lost(carrier.to)
            if self.no_python:
                raise NoPython(self.no_python, "exec, shell, logs and ports work without it")
            self.forwarder.set_container(container, here=not self.endpoint.remote)
            try:
                link = await open_link(
                    self.engine,
                    container,
                    user=user,
                    link_dir=link_folder.mounted(self.folder, container),
                    tier=self.tier,
                )
            except NoPython as error:
                self.no_python = error.message
                self.changes.touch()
                raise
            self._links[user] = link
            if user == self.remote_user:
                await self._bind(link)
            return link

    async def use_tier(self, tier: Tier) -> None:
        """The tier that was asked for, from now on; a link of another one is opened anew (runs never notice)."""
        self.tier = tier
        link = self.current_link
        if tier is not Tier.AUTO and link is not None and link.tier is not tier:
            await self.drop_links()

    async def _bind(self, link: Link) -> None:
        """The primary link: runs, ports and figures come over it."""
        link.subscribe(self._on_agent_event)
        for record in await link.request("runs.list"):
            self.runs.update(record)
        self.sessions.set_link(link)
        self.sessions.update(self.runs.all())
        await self._find_attached(link)
        await self.forwarder.set_link(link)
        await self.reverse.set_link(link)
        self._background.start(self._watch(link), "link")
        self.changes.touch()

    async def _find_attached(self, link: Link) -> None:
        """Programs that were attached to before this supervisor, or before the link was cut."""
        container = self.container
        if container is None:
            return
        gone = []
        for entry in self.attached.of(container.id, container.started_at):
            if await read_endpoints(link, entry.endpoints.removesuffix(".front")) is None:
                gone.append(entry.key)
            elif not self.sessions.knows(entry.key):
                self.sessions.adopt(entry, self.runs.get(entry.key))
        self.attached.drop(gone)

    async def _watch(self, link: Link) -> None:
        """A link that ends while its container runs is opened again; runs never notice."""
        await link.wait_closed()
        await self.forwarder.set_link(None)
        await self.reverse.set_link(None)
        self.changes.touch()
        attempt = 0
        while self.running and not self.retired and self._links.get(self.remote_user) is link:
            carrier = self.carrier()
            if carrier is not None:
                await carrier.back()
            try:
                await self.link()
                return
            except (LinkError, DevenvError) as error:
                log.warning("[env=%s] the agent does not answer: %s", self.target.key, error)
            await asyncio.sleep(_RETRY[min(attempt, len(_RETRY) - 1)])
            attempt += 1

    def _on_agent_event(self, event: dict[str, Any]) -> None:
        if event.get("event") == "run":
            self.runs.update(event["record"])
            self.sessions.update([event["record"]])
        self.changes.touch()

    async def drop_links(self) -> None:
        """Gives up every link; runs go on, `exec`s end."""
        links, self._links = self._links, {}
        await self.forwarder.set_link(None)
        await self.reverse.set_link(None)
        self.sessions.set_link(None)
        self.sessions.update(self.runs.all())
        for link in links.values():
            await link.close()

    @property
    def current_link(self) -> Link | None:
        link = self._links.get(self.remote_user)
        return link if link is not None and not link.closed else None

    def note(self, text: str) -> None:
        """A sentence to read once, on the environment's page."""
        if text not in self.notes:
            self.notes.append(text)
            self.changes.touch()

    # --- figures ---

    async def refresh_runs(self) -> None:
        """The newest records, sizes and all. Between links what is known stands."""
        if not self.running or self.no_python:
            return
        with contextlib.suppress(LinkError, NotUp):
            link = await self.link()
            for record in await link.request("runs.list"):
                self.runs.update(record)

    async def sample_usage(self) -> None:
        """CPU and memory for whoever watches; asked for every two seconds by the watchers' own loop."""
        link = self.current_link
        if link is None:
            self.usage = None
            return
        with contextlib.suppress(DevenvError, TimeoutError):
            async with asyncio.timeout(_FIGURES_WITHIN):  # a container that was paused just now does not answer
                figures = await link.request("stats")
            self.usage = (self.usage[1] if self.usage else figures, figures)
            if self.runs.live():
                await self.refresh_runs()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[None]:
        """A background task of this environment."""
        return self._background.start(work, name)

    def retire(self) -> None:
        """A successor holds the environment: nothing new is begun here, nothing is written; what is open goes on."""
        self.retired = True
        self.runs.freeze()
        self.forwarder.stop_accepting()
        if self.test_watch is not None:
            self.test_watch.cancel()
            self.test_watch = None
        if self.files is not None:
            self._background.start(self.drop_files(), "sync")

    async def drop_files(self) -> None:
        """Nothing is synchronised any more; the files stay as they are on both sides."""
        files, self.files = self.files, None
        if files is not None:
            await files.close()

    async def close(self) -> None:
        await self.drop_files()
        await self._background.close()
        await self.drop_links()
        await self.forwarder.close()
        await self.reverse.close()
