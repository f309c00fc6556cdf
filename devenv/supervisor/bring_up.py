"""An environment brought up, once for all who ask at the same time; used by every verb that needs one up."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.views import RunView, Snapshot
from devenv.engine.port import ContainerSnapshot, Progress
from devenv.environment import adopt, files
from devenv.environment.job import Arrived
from devenv.environment.plan import Hooks, UpOptions
from devenv.errors import DevenvError
from devenv.link.port import Tier
from devenv.runs.history import to_view
from devenv.supervisor import lifecycle_log
from devenv.supervisor.connection import Connection
from devenv.supervisor.live import Live
from devenv.supervisor.operation import Operation, Telling
from devenv.supervisor.registry import Registry
from devenv.supervisor.snapshot import PENDING, without_secrets
from devenv.supervisor.workbench import Workbench


@dataclasses.dataclass(frozen=True, slots=True)
class Manner:
    """How it is done for one client. `tier` None leaves the link as it is; `connect` False leaves it for later."""

    options: UpOptions
    tier: Tier | None = None
    services: bool = True
    connect: bool = True
    pending: bool = True  # lifecycle commands that were left for later are run behind the scenes


class BringUp:
    def __init__(self, registry: Registry, live: Live) -> None:
        self._registry = registry
        self._live = live

    async def shared(
        self, bench: Workbench, verb: str, manner: Manner, ctx: ClientContext, connection: Connection
    ) -> Snapshot:
        """Two clients that bring the same environment up get one piece of work and one result."""
        while (running := bench.operation) is not None and running.running:
            if running.ending:
                await running.ended()
                continue
            if running.verb == PENDING and bench.running and _needs_no_more(manner.options):
                return without_secrets(self._live.snapshot(bench))
            if running.verb != PENDING and (running.verb == "rebuild") == manner.options.rebuild:
                found: Snapshot = await running.join(connection)
                return found
            # Another kind of work: ours begins when it has ended, however it ends.
            with contextlib.suppress(DevenvError):
                await running.join(connection)
        self._registry.where.settle(bench, ctx)
        bench.operation = Operation(verb, lambda telling: self._work(bench, manner, ctx, telling))
        lifecycle_log.keep(bench.operation, bench.folder)
        bench.changes.touch()
        snapshot: Snapshot = await bench.operation.join(connection)
        if bench.unfinished and not bench.operation.running:
            self._run_pending(bench, manner.options, ctx)
        return snapshot

    async def _work(self, bench: Workbench, manner: Manner, ctx: ClientContext, telling: Telling) -> Snapshot:
        for warning in bench.target.written.warnings:
            telling.note(str(warning), level="warning")
        if manner.tier is not None:
            await bench.use_tier(manner.tier)
        if manner.options.rebuild and bench.running:
            await self.end_runs(bench, telling)
        try:
            arrived, leaving = self._arrived(bench, ctx), self._live.asking(bench, manner.options.send)
            up = self._registry.environments.up
            result = await up(bench.target, ctx, manner.options, telling, arrived, leaving)
        except DevenvError:
            await self._look_again(bench)
            raise
        finally:
            bench.changes.touch()
        bench.notes = list(result.notes)
        bench.drift = list(result.drift)
        await bench.adopt(result.container, result.remote_user, result.workspace_folder, adopted=result.adopted)
        later = result.pending if manner.pending else ()
        commands = self._registry.merged(bench).hooks
        bench.unfinished, bench.pending = bool(later), [stage.value for stage in later if commands.get(stage)]
        bench.probed = None  # looked at again: a virtual environment may have been made since
        if manner.connect:
            await self._live.connect(bench, telling)
        else:
            bench.start(self._live.connect(bench, None), "connect")
        if manner.services:
            await self._live.start_services(bench, ctx, telling)
        return without_secrets(self._live.snapshot(bench))

    def _arrived(self, bench: Workbench, ctx: ClientContext) -> Arrived:
        """The project's files come before its lifecycle commands."""

        async def bring(container: ContainerSnapshot, user: str, progress: Progress) -> None:
            if files.of_container(bench.target, container) is None:
                return
            await bench.adopt(container, user, adopt.mounted_folder(bench.target, container), adopted=False)
            kept = await self._live.keep_files(bench, container, ctx.umask)
            if kept is not None:
                await kept.first(progress)

        return bring

    def _run_pending(self, bench: Workbench, options: UpOptions, ctx: ClientContext) -> None:
        """Lifecycle commands after `waitFor`: the client does not wait for them, and nobody has to."""
        options = dataclasses.replace(options, hooks=Hooks.ALL, rebuild=False)

        async def work(telling: Telling) -> Snapshot:
            try:
                await self._registry.environments.run_pending(bench.target, ctx, options, telling)
                bench.probed = None  # a command may have changed what the user's shell reads
            except DevenvError as error:
                bench.note(f"{error.message}; `devenv logs --build` shows what it printed, `devenv up` runs it again")
                raise
            finally:
                bench.unfinished, bench.pending = False, []
                bench.changes.touch()
            return without_secrets(self._live.snapshot(bench))

        bench.operation = Operation(PENDING, work, kept=True)
        lifecycle_log.keep(bench.operation, bench.folder)
        bench.operation.when_done(bench.changes.touch)
        bench.changes.touch()

    async def _look_again(self, bench: Workbench) -> None:
        """After a failure: a container may be there all the same, to look into what went wrong."""
        with contextlib.suppress(DevenvError):
            state = await self._registry.environments.status(bench.target, bench.engine)
            bench.drift, bench.notes = list(state.drift), list(state.notes)
            if state.container is not None:
                await bench.adopt(state.container, state.remote_user, state.workspace_folder, adopted=state.adopted)

    async def end_pending(self, bench: Workbench) -> None:
        """Lifecycle commands that nobody waits for; the next `up` runs them again."""
        if bench.operation is not None and bench.operation.running and bench.operation.verb == PENDING:
            await bench.operation.cancel()
            bench.unfinished, bench.pending = False, []

    async def end_runs(self, bench: Workbench, telling: Telling) -> list[RunView]:
        """Each keeper is asked before the engine is told: an engine signals the container's first process only."""
        live = bench.runs.live() if bench.running else []
        if not live:
            return []
        telling.step("runs", f"Ending {len(live)} live runs")
        link = await bench.link()

        async def end(record: dict[str, Any]) -> RunView:
            ended = await link.request("runs.end", run=record["id"])
            bench.runs.update(ended)
            return to_view(ended)

        views = list(await asyncio.gather(*(end(record) for record in live)))
        telling.done("runs")
        return [view for view in views if view.kind != "service"]


def _needs_no_more(options: UpOptions) -> bool:
    """While lifecycle commands run behind the scenes: an `up` that does not wait for them finds all done."""
    return not options.rebuild and options.hooks is Hooks.CONFIGURED
