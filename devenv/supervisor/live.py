"""A running environment made ready for work: link, ports, door, services; and its whole view for front ends."""

from __future__ import annotations

import contextlib
import pathlib
from typing import TYPE_CHECKING

from devenv.api.context import ClientContext
from devenv.api.views import ServiceView, Snapshot
from devenv.config import DevenvConfig, SyncConfig
from devenv.engine.port import ContainerSnapshot, Engine
from devenv.environment import files
from devenv.environment.files import Synced
from devenv.environment.inside.probe import ProbedEnv
from devenv.environment.job import Leaving
from devenv.environment.plan import Send
from devenv.errors import DevenvError, NoPython
from devenv.forward.fallback import ExecDialer
from devenv.supervisor.door import Door
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.operation import Telling
from devenv.supervisor.port_settings import port_settings
from devenv.supervisor.registry import Registry
from devenv.supervisor.snapshot import snapshot
from devenv.supervisor.workbench import Workbench

if TYPE_CHECKING:
    from devenv.services.service_book import ServiceBook
    from devenv.supervisor.files import Files


class Live:
    """Used by verbs and by the restore after a start. Every step is safe to repeat."""

    def __init__(self, registry: Registry, launcher: Launcher, door: Door) -> None:
        self._registry = registry
        self._launcher = launcher
        self._door = door

    async def connect(self, bench: Workbench, telling: Telling | None) -> None:
        """The link, or where no agent can run the engine's own way; then ports and the debug door."""
        container = bench.require_running()
        self._configure_ports(bench, container)
        await self.keep_files(bench, container)
        if bench.current_link is None and not bench.no_python:
            if telling is not None:
                telling.step("link", "Connecting to the container")
            try:
                link = await bench.link()
            except NoPython as error:
                dialer = await ExecDialer.probe(bench.engine, container.id, user=bench.remote_user)
                await bench.forwarder.set_link(dialer)
                if telling is not None:
                    telling.done("link", detail=error.message)
                    telling.note(dialer.note)
            except BaseException:
                if telling is not None:
                    telling.done("link", ok=False)
                raise
            else:
                if telling is not None:
                    telling.done("link", detail=f"{link.tier.value} ({link.reason})")
                if not link.hello.state_kept:
                    bench.note("the output of runs ends with this container: it has no volume of devenv's for it")
                bench.start(self._find_services(bench), "services")
                bench.start(self._prepare_debugger(bench), "debugger")
        await self._launcher.probed(bench)
        if self.config(bench)[0] is not None and not bench.no_python:
            await self._door.open(bench)

    async def keep_files(self, bench: Workbench, container: ContainerSnapshot, umask: int = 0o022) -> Files | None:
        """Synchronises from now on, where this container has the project's files in a volume. `umask` is that of the
        files that this makes."""
        synced = files.of_container(bench.target, container)
        if bench.files is not None and bench.files.synced != synced:
            await bench.drop_files()
        if synced is None or bench.retired:
            return None
        if bench.files is None:
            from devenv.supervisor.files import Files
            from devenv.sync.ruler import ProjectRules

            def where() -> tuple[Engine, ContainerSnapshot, str] | None:
                now = bench.container
                return (bench.engine, now, bench.remote_user) if now is not None and bench.running else None

            ruler = ProjectRules(pathlib.Path(synced.host), lambda: self._sync_config(bench))
            bench.files = Files(synced, bench.folder / "sync", ruler, where, bench.changes.touch, umask=umask)
        bench.files.start(bench.start)
        return bench.files

    def asking(self, bench: Workbench, send: Send) -> Leaving:
        """Before the project's files go to another machine for the first time."""

        async def ask(synced: Synced) -> None:
            from devenv.supervisor import first_files
            from devenv.sync.ruler import ProjectRules
            from devenv.sync.survey import Limits

            config = self._sync_config(bench)
            ruler = ProjectRules(pathlib.Path(synced.host), lambda: config)
            await first_files.ask(synced, bench.folder / "sync", ruler, Limits.of(config), send)

        return ask

    def _sync_config(self, bench: Workbench) -> SyncConfig:
        config, _ = self.config(bench)
        return config.sync if config is not None else SyncConfig()

    def _configure_ports(self, bench: Workbench, container: ContainerSnapshot) -> None:
        """What the files say of ports now, edits since the last time included."""
        config, _ = self.config(bench)
        if config is not None:
            bench.forwarder.configure(port_settings(self._registry.merged(bench), config))

    async def _find_services(self, bench: Workbench) -> None:
        """What is declared, installed and running, with its ports; after each new link, behind everybody's back."""
        with contextlib.suppress(DevenvError):  # the verbs that need services ask again, and tell
            await self.find_services(bench)

    async def _prepare_debugger(self, bench: Workbench) -> None:
        with contextlib.suppress(DevenvError):  # the first debug run does it, and tells
            await self._launcher.prepare_debugger(bench)

    async def find_services(self, bench: Workbench) -> ServiceBook:
        book = self.services(bench)
        config = self._registry.config(bench)
        await book.find(config, await bench.link(), await self._launcher.probed(bench), bench.paths, bench.forwarder)
        return book

    async def probed(self, bench: Workbench) -> ProbedEnv:
        return await self._launcher.probed(bench)

    async def start_services(self, bench: Workbench, ctx: ClientContext, telling: Telling) -> None:
        """The declared ones that start by themselves. One that fails is told and does not fail `up`."""
        config, problem = self.config(bench)
        if problem is not None:
            telling.note(problem.message, level="warning")
        if config is None or bench.no_python:
            return
        book = await self.find_services(bench)
        for name in book.autostart():
            telling.step(f"service {name}", f"Starting {name}")
            try:
                view = await book.start(name, await bench.link(), bench.forwarder)
                telling.done(f"service {name}", detail=view.url)
            except DevenvError as error:
                telling.done(f"service {name}", ok=False, detail=error.message)

    def services(self, bench: Workbench) -> ServiceBook:
        if bench.services is None:
            from devenv.services.service_book import ServiceBook

            bench.services = ServiceBook(bench.folder / "secrets.json", bench.changes.touch)
        return bench.services

    def config(self, bench: Workbench) -> tuple[DevenvConfig | None, DevenvError | None]:
        """devenv.yaml, or why it cannot be read."""
        try:
            return self._registry.config(bench), None
        except DevenvError as error:
            return None, error

    def snapshot(self, bench: Workbench) -> Snapshot:
        config, problem = self.config(bench)
        services: list[ServiceView] = bench.services.views() if bench.services is not None else []
        action = self._registry.merged(bench).shutdown_action or ""
        return snapshot(bench, config, problem, services, self._door.view(bench), action)
