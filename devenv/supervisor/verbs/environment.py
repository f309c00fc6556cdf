"""up, start, stop, rebuild, down, status, ls, init: the life of an environment."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from typing import TYPE_CHECKING, Any

from devenv.api.context import ClientContext
from devenv.api.messages import Args, InitArgs, LsArgs, StopArgs, UpArgs
from devenv.api.views import EnvironmentView, EnvStatus, RunView, Snapshot
from devenv.environment.plan import UpOptions
from devenv.errors import DevenvError, LiveRuns, NotFound, NotUp, Refused, UsageError
from devenv.link.port import Tier
from devenv.runs.history import to_view
from devenv.supervisor.connection import Connection
from devenv.supervisor.live import Live
from devenv.supervisor.operation import Operation, Telling
from devenv.supervisor.registry import Registry
from devenv.supervisor.snapshot import STATUS, without_secrets
from devenv.supervisor.workbench import Workbench

if TYPE_CHECKING:
    from devenv.environment.infer import Proposal


class EnvironmentVerbs:
    def __init__(self, registry: Registry, live: Live) -> None:
        self._registry = registry
        self._live = live

    async def up(self, args: UpArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        if not bench.target.configured and bench.container is None:
            if not args.init:
                raise NotFound(
                    f"there is no devcontainer.json in {bench.target.local_folder}",
                    "write one from what the project shows: devenv init, or at once: devenv up --init",
                    details={"offer": "init"},
                )
            await self.init(InitArgs(folder=bench.target.local_folder), ctx, connection)
            bench = await self._registry.find(args, ctx)
        if args.dry_run:
            plan = await self._registry.environments.plan(bench.target, ctx, _options(args))
            return {
                "steps": [step.title for step in plan.steps],
                "create": list(plan.create.args) if plan.create else [],
                "drift": plan.drift,
                "notes": list(plan.notes),
            }
        return await self._shared(bench, "up", args, ctx, connection)

    async def start(self, args: UpArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        if bench.container is None:
            raise NotUp(f"{bench.target.name} has no container to start", "run: devenv up")
        return await self._shared(bench, "start", args, ctx, connection)

    async def rebuild(self, args: UpArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        _refuse_others(bench)
        await bench.refresh_runs()
        await self._check_before_removal(bench, "rebuild", args.force)
        return await self._shared(bench, "rebuild", args, ctx, connection)

    async def _shared(
        self, bench: Workbench, verb: str, args: UpArgs, ctx: ClientContext, connection: Connection
    ) -> Any:
        """Two clients that bring the same environment up get one piece of work and one result."""
        running = bench.operation
        if running is None or not running.running:
            bench.operation = Operation(verb, lambda telling: self._bring_up(bench, verb, args, ctx, telling))
            bench.changes.touch()
        assert bench.operation is not None
        snapshot: Snapshot = await bench.operation.join(connection)
        return snapshot

    async def _bring_up(
        self, bench: Workbench, verb: str, args: UpArgs, ctx: ClientContext, telling: Telling
    ) -> Snapshot:
        for warning in bench.target.written.warnings:
            telling.note(str(warning), level="warning")
        await bench.use_tier(_tier(args.tier))
        options = _options(args, rebuild=verb == "rebuild" or args.rebuild)
        if options.rebuild and bench.running:
            await self._end_runs(bench, telling)
        try:
            result = await self._registry.environments.up(bench.target, ctx, options, telling)
        except DevenvError:
            await self._look_again(bench)
            raise
        finally:
            bench.changes.touch()
        bench.notes = list(result.notes)
        bench.drift = list(result.drift)
        await bench.adopt(result.container, result.remote_user, result.workspace_folder, adopted=result.adopted)
        bench.probed = None  # looked at again: a virtual environment may have been made since
        await self._live.connect(bench, telling)
        if args.services:
            await self._live.start_services(bench, ctx, telling)
        return without_secrets(self._live.snapshot(bench))

    async def _look_again(self, bench: Workbench) -> None:
        """After a failure: a container may be there all the same, to look into what went wrong."""
        with contextlib.suppress(DevenvError):
            state = await self._registry.environments.status(bench.target, bench.engine)
            bench.drift, bench.notes = list(state.drift), list(state.notes)
            if state.container is not None:
                await bench.adopt(state.container, state.remote_user, state.workspace_folder, adopted=state.adopted)

    async def stop(self, args: StopArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        _refuse_others(bench)
        if bench.container is None:
            return {"ended": [], "sentence": f"{bench.target.name} has no container", "notes": []}
        await bench.refresh_runs()
        ended = await self._end_before(bench, "stop", args.force, connection)
        await self._registry.environments.stop(bench.target, ctx, _telling(connection))
        await bench.refresh()
        return {"ended": ended, "sentence": f"{bench.target.name} is stopped; `devenv start` continues", "notes": []}

    async def down(self, args: StopArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        _refuse_others(bench)
        if bench.container is None and not args.volumes:
            return {"ended": [], "sentence": f"{bench.target.name} has no container", "notes": []}
        await bench.refresh_runs()
        await self._check_before_removal(bench, "down", args.force)
        ended = await self._end_before(bench, "down", args.force, connection)
        await self._registry.environments.down(bench.target, ctx, _telling(connection), volumes=args.volumes)
        await bench.refresh()
        if args.volumes:
            bench.runs.clear()
        self._registry.forget_paths()
        return {"ended": ended, "sentence": f"{bench.target.name} is gone", "notes": []}

    async def _check_before_removal(self, bench: Workbench, verb: str, force: bool) -> None:
        """What would be lost is said before anything is touched."""
        self._refuse_live(bench, verb, force)
        if force or bench.container is None:
            return
        if bench.adopted:
            raise Refused(
                f"{bench.container.name} was made by another tool", f"to remove it all the same: devenv {verb} --force"
            )
        held = await self._registry.environments.writable_layer(bench.container, bench.engine)
        if held:
            lines = [f"{path}  ({size / 1e6:.1f} MB)" for path, size in held[:12]]
            raise Refused(
                f"the container holds {len(held)} files and folders outside mounts that {verb} would lose",
                f"keep them in a mount or a volume, or give them up: devenv {verb} --force",
                details={"lines": lines},
            )

    def _refuse_live(self, bench: Workbench, verb: str, force: bool) -> None:
        live = [record for record in bench.runs.live() if record["kind"] != "service"] if bench.running else []
        if live and not force:
            names = ", ".join(f"{record['name']} ({record['id']})" for record in live)
            raise LiveRuns(
                f"{len(live)} live run{'s' if len(live) > 1 else ''}: {names}",
                f"wait for them, or end them: devenv {verb} --force",
                details={"runs": [record["id"] for record in live]},
            )

    async def _end_before(self, bench: Workbench, verb: str, force: bool, connection: Connection) -> list[RunView]:
        self._refuse_live(bench, verb, force)
        return await self._end_runs(bench, _telling(connection))

    async def _end_runs(self, bench: Workbench, telling: Telling) -> list[RunView]:
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

    async def status(self, args: Args, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        if bench.running:
            try:
                await self._live.connect(bench, None)
                await bench.sample_usage()
            except DevenvError as error:
                bench.notes = [*bench.notes, error.message] if error.message not in bench.notes else bench.notes
        state = await self._registry.environments.status(bench.target, bench.engine)
        bench.drift, bench.owner = list(state.drift), state.owner
        return without_secrets(self._live.snapshot(bench))

    async def ls(self, args: LsArgs, ctx: ClientContext, connection: Connection) -> Any:
        views = []
        for summary in await self._registry.environments.list(ctx):
            views.append(
                EnvironmentView(
                    key=summary.key,
                    name=summary.name,
                    local_folder=summary.local_folder,
                    config_file=summary.config_file,
                    status=STATUS.get(summary.container.status, EnvStatus.BROKEN),
                    container=summary.container.name,
                    container_id=summary.container.id,
                    image=summary.container.image,
                    adopted=summary.adopted,
                    owner=summary.owner,
                )
            )
        return {"environments": views}

    async def init(self, args: InitArgs, ctx: ClientContext, connection: Connection) -> Any:
        root = pathlib.Path(args.folder or ctx.cwd)
        proposal = await asyncio.to_thread(_propose, root)
        existing = [name for name in proposal.files if (root / name).exists()]
        if args.write and existing and not args.force:
            raise Refused(f"{existing[0]} is there already", "show the proposal with --print, or replace with --force")
        if args.write:
            await asyncio.to_thread(_write_files, root, proposal.files, ctx.umask)
            self._registry.forget_paths()
        text = "".join(f"--- {name}\n{body}\n" for name, body in proposal.files.items()) if not args.write else ""
        text += "\n".join([*(f"wrote {name}" for name in proposal.files if args.write), *proposal.reasons])
        return {"files": proposal.files, "reasons": list(proposal.reasons), "written": args.write, "text": text}


def _refuse_others(bench: Workbench) -> None:
    """Nothing here is ours, and what there is belongs to somebody else."""
    if bench.container is None and bench.owner:
        raise Refused(
            f"the container of {bench.target.local_folder} belongs to {bench.owner}",
            "it is left alone; `devenv up` makes one of your own",
        )


def _propose(root: pathlib.Path) -> Proposal:
    """What the repository shows: its files two levels deep, as Git would list them."""
    from devenv.environment.infer import propose  # 15 ms that a start of the supervisor does not wait for

    listing = []
    for pattern in ("*", "*/*"):
        listing += [str(path.relative_to(root)) for path in root.glob(pattern) if path.is_file()]

    def read(name: str) -> str | None:
        try:
            return (root / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    return propose([name for name in listing if not name.startswith((".git/", ".venv/"))], read, root.name)


def _write_files(root: pathlib.Path, files: dict[str, str], umask: int) -> None:
    """With the modes that the client's own editor would give."""
    for name, body in files.items():
        path = root / name
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o777 & ~umask)
        path.write_text(body, encoding="utf-8")
        path.chmod(0o666 & ~umask)


def _options(args: UpArgs, *, rebuild: bool = False) -> UpOptions:
    return UpOptions(trust=args.trust, rebuild=rebuild or args.rebuild, no_cache=args.no_cache)


def _telling(connection: Connection) -> Telling:
    return Telling(asyncio.get_running_loop(), connection.send)


def _tier(word: str) -> Tier:
    try:
        return Tier(word)
    except ValueError:
        raise UsageError(f"--tier {word!r}", "one of auto, direct, stream") from None
