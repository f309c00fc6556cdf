"""up, start, stop, rebuild, down, status, ls, init: the life of an environment."""

from __future__ import annotations

import asyncio
import pathlib
import re
from typing import TYPE_CHECKING, Any

import msgspec

from devenv.api.context import ClientContext
from devenv.api.messages import Args, InitArgs, LsArgs, StopArgs, UpArgs
from devenv.api.sentences import pending
from devenv.api.views import EnvironmentView, EnvStatus, RunView
from devenv.environment import adopt, settings
from devenv.environment.plan import Hooks, Lock, Send, UpOptions
from devenv.errors import DevenvError, EngineMissing, LiveRuns, NotFound, NotUp, Refused, UsageError
from devenv.hosts.choose import VARIABLE as HOST_VARIABLE
from devenv.lifecycle.dotfiles import Dotfiles
from devenv.link.port import Tier
from devenv.supervisor.bring_up import BringUp, Manner
from devenv.supervisor.connection import Connection
from devenv.supervisor.editor_files import EditorFiles
from devenv.supervisor.live import Live
from devenv.supervisor.operation import Telling
from devenv.supervisor.profiler import profiles_of
from devenv.supervisor.registry import Registry
from devenv.supervisor.snapshot import STATUS, without_secrets
from devenv.supervisor.workbench import Workbench
from devenv.sync.words import printable

if TYPE_CHECKING:
    from devenv.environment.infer.proposal import Proposal


_PATIENCE = 10.0  # seconds for a host that does not answer, in a list
_DURATION = re.compile(r"[0-9]+[smh]?\Z", re.ASCII)


class EnvironmentVerbs:
    def __init__(self, registry: Registry, live: Live, bringing: BringUp, files: EditorFiles) -> None:
        self._registry = registry
        self._live = live
        self._bringing = bringing
        self._files = files

    async def up(self, args: UpArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx, strict=True)
        if not bench.target.configured and bench.container is None:
            if not args.init:
                raise NotFound(
                    f"there is no devcontainer.json in {bench.target.local_folder}",
                    "write one from what the project shows: devenv init, or at once: devenv up --init",
                    details={"offer": "init"},
                )
            await self.init(InitArgs(folder=bench.target.local_folder), ctx, connection)
            bench = await self._registry.find(args, ctx, strict=True)
        if args.dry_run:
            plan = await self._registry.environments.plan(bench.target, ctx, _options(args, ctx))
            return {
                "steps": [step.title for step in plan.steps],
                "create": list(plan.create),
                "override": list(plan.override),
                "drift": plan.drift,
                "notes": list(plan.notes),
            }
        if args.rebuild and bench.container is not None:
            state = await self._registry.environments.status(bench.target, bench.engine)
            if any(not difference.live for difference in state.drift):
                return await self.rebuild(args, ctx, connection)
            args = msgspec.structs.replace(args, rebuild=False)
        return await self._bring_up(bench, "up", args, ctx, connection)

    async def start(self, args: UpArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx, strict=True)
        if bench.container is None:
            raise NotUp(f"{bench.target.name} has no container to start", "run: devenv up")
        return await self._bring_up(bench, "start", args, ctx, connection)

    async def rebuild(self, args: UpArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx, strict=True)
        _refuse_others(bench)
        await bench.refresh_runs()
        await self._check_before_removal(bench, "rebuild", args.force)
        await self._bringing.end_pending(bench)
        return await self._bring_up(bench, "rebuild", args, ctx, connection)

    async def _bring_up(
        self, bench: Workbench, verb: str, args: UpArgs, ctx: ClientContext, connection: Connection
    ) -> Any:
        if args.remember:
            self._registry.remember(bench)
        options = _options(args, ctx, rebuild=verb == "rebuild" or args.rebuild)
        manner = Manner(options, tier=_tier(args.tier), services=args.services)
        snapshot = await self._bringing.shared(bench, verb, manner, ctx, connection)
        await self._files.keep(bench, ctx.umask, connection)
        return snapshot

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
        await bench.refresh_runs()
        await self._check_before_removal(bench, "down", args.force)
        ended = await self._end_before(bench, "down", args.force, connection)
        if args.volumes and not args.force:
            _refuse_unsynced(bench)
        # Also without a container: services of a Compose project may be left, or volumes.
        gone = await self._registry.environments.down(bench.target, ctx, _telling(connection), volumes=args.volumes)
        await bench.refresh()
        bench.forwarder.release(numbers=args.volumes)
        bench.reverse.forget()
        if bench.operation is not None and not bench.operation.running:
            bench.operation = None  # how it ended is no news of an environment that is gone
        if args.volumes:
            bench.runs.clear()
            await asyncio.to_thread(profiles_of(bench).clear)
        self._registry.forget_paths()
        self._registry.where.leave(bench)
        sentence = f"{bench.target.name} {'is gone' if gone else 'has no container'}"
        return {"ended": ended, "sentence": sentence, "notes": []}

    async def _check_before_removal(self, bench: Workbench, verb: str, force: bool) -> None:
        """What would be lost is said before anything is touched."""
        self._refuse_live(bench, verb, force)
        if force or bench.container is None:
            return
        # What `docker compose` made from the project's own files it makes again: a rebuild is what the note advises.
        if bench.adopted and not (verb == "rebuild" and adopt.is_by_compose(bench.container.labels)):
            raise Refused(
                f"{bench.container.name} was made by another tool", f"to remove it all the same: devenv {verb} --force"
            )
        held = await self._registry.environments.writable_layer(bench.container, bench.engine)
        if held:
            lines = [f"{path}  ({size / 1e6:.1f} MB)" for path, size in held[:12]]
            count = "a file or folder" if len(held) == 1 else f"{len(held)} files and folders"
            raise Refused(
                f"the container holds {count} outside mounts that {verb} would lose",
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
        if bench.pending and not force:
            raise LiveRuns(pending(bench.pending), f"wait for it, or end it: devenv {verb} --force")

    async def _end_before(self, bench: Workbench, verb: str, force: bool, connection: Connection) -> list[RunView]:
        self._refuse_live(bench, verb, force)
        await self._bringing.end_pending(bench)
        ended = await self._bringing.end_runs(bench, _telling(connection))
        if bench.running and bench.files is not None and (why := await bench.files.after()) and not force:
            raise Refused(why, f"to {verb} all the same: devenv {verb} --force")
        return ended

    async def status(self, args: Args, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        state = await self._registry.environments.status(bench.target, bench.engine)
        known, seen = bench.container, state.container
        if known is not None and (seen is None or (seen.id == known.id and seen.status != known.status)):
            await bench.refresh()  # the engine's own word of it is still on its way
        if bench.running:
            try:
                await self._live.connect(bench, None)
                await bench.sample_usage()
            except DevenvError as error:
                bench.notes = [*bench.notes, error.message] if error.message not in bench.notes else bench.notes
        bench.drift, bench.owner = list(state.drift), state.owner
        return without_secrets(self._live.snapshot(bench))

    async def ls(self, args: LsArgs, ctx: ClientContext, connection: Connection) -> Any:
        """Of the engine that the client means and, where it names none, of every host that is remembered."""
        places = [ctx] if ctx.env.get(HOST_VARIABLE) else [ctx, *self._registry.where.elsewhere(ctx)]
        listed = await asyncio.gather(*(self._listed(place) for place in places))
        if isinstance(listed[0], DevenvError):
            raise listed[0]
        views = {view.container_id: view for found in listed if isinstance(found, list) for view in found}
        problems = [
            {"host": place.env[HOST_VARIABLE], **found.to_wire()}
            for place, found in zip(places, listed, strict=True)
            if isinstance(found, DevenvError)
        ]
        return {"environments": list(views.values()), "problems": problems}

    async def _listed(self, ctx: ClientContext) -> list[EnvironmentView] | DevenvError:
        """Or why there is no answer: another host's is shown all the same."""
        views = []
        try:
            endpoint = self._registry.engines.endpoint(ctx)
            async with asyncio.timeout(_PATIENCE if ctx.env.get(HOST_VARIABLE) else None):
                found = await self._registry.environments.list(ctx)
        except TimeoutError:
            return EngineMissing("no answer yet")
        except DevenvError as error:
            return error
        host = (endpoint.name or endpoint.shown) if endpoint.remote else ""
        distance = self._registry.engines.round_trip(endpoint)
        for summary in found:
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
                    host=host,
                    round_trip=distance,
                )
            )
        return views

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


def _refuse_unsynced(bench: Workbench) -> None:
    """Of files that both sides have changed, the volume holds the only copy of the container's."""
    files = bench.files
    if files is None or not files.pair.conflicts:
        return
    lines = [printable(conflict.path) for conflict in files.pair.conflicts[:12]]
    count = len(files.pair.conflicts)
    raise Refused(
        f"{'1 file differs' if count == 1 else f'{count} files differ'} in the container from this machine's",
        "choose with `devenv sync resolve`, or give them up: devenv down --volumes --force",
        details={"lines": lines},
    )


def _propose(root: pathlib.Path) -> Proposal:
    """What the repository shows: its files two levels deep, as Git would list them."""
    from devenv.environment.infer.proposal import propose  # 15 ms that a start of the supervisor does not wait for

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


def _options(args: UpArgs, ctx: ClientContext, *, rebuild: bool = False) -> UpOptions:
    if args.hook_timeout and not _DURATION.match(args.hook_timeout):
        raise UsageError(f"--hook-timeout {args.hook_timeout!r} is no duration", "e.g. 90s, 30m or 2h; 0: no limit")
    try:
        lock = Lock(args.lockfile)
    except ValueError:
        raise UsageError(f"--lockfile {args.lockfile!r}", f"one of {', '.join(Lock)}") from None
    try:
        send = Send(args.send)
    except ValueError:
        raise UsageError(f"--send {args.send!r}", f"one of {', '.join(Send)}") from None
    return UpOptions(
        send=send,
        trust=args.trust,
        agreed=tuple(args.agreed),
        rebuild=rebuild or args.rebuild,
        no_cache=args.no_cache,
        gpus=args.gpus,
        gpu_via=args.gpu_via,
        profiles=tuple(args.profiles),
        secrets_file=str(pathlib.Path(ctx.cwd, args.secrets_file)) if args.secrets_file else "",
        hook_limit=settings.seconds(args.hook_timeout),
        hooks=Hooks.ALL if args.wait else Hooks.CONFIGURED,
        lock=lock,
        dotfiles=Dotfiles(args.dotfiles) if args.dotfiles else None,
    )


def _telling(connection: Connection) -> Telling:
    return Telling(asyncio.get_running_loop(), connection.send)


def _tier(word: str) -> Tier:
    try:
        return Tier(word)
    except ValueError:
        raise UsageError(f"--tier {word!r}", "one of auto, direct, stream") from None
