"""stack: where a run stands; profile: where its time and memory go."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import msgspec

from devenv.api.context import ClientContext
from devenv.api.messages import RunArgs
from devenv.api.profiling import ProfileArgs, ProfilesArgs, ProfileView, StackArgs, StacksView
from devenv.errors import DevenvError, NotFound, ProfileError, UsageError
from devenv.profile.stacks import describe, fold
from devenv.profile.wrapping import refuse_running
from devenv.runs.history import to_view
from devenv.supervisor import connection as wire
from devenv.supervisor.connection import ClientGone, Connection
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.observing import Observer, Subject
from devenv.supervisor.profiler import Profiler, seconds_of
from devenv.supervisor.registry import Registry
from devenv.supervisor.verbs.runs import RunVerbs
from devenv.supervisor.workbench import Workbench


class ProfileVerbs:
    def __init__(
        self, registry: Registry, launcher: Launcher, runs: RunVerbs, observer: Observer, profiler: Profiler
    ) -> None:
        self._registry = registry
        self._launcher = launcher
        self._runs = runs
        self._observer = observer
        self._profiler = profiler

    async def stack(self, args: StackArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        subject = await self._observer.subject(bench, args.target)
        spy = await self._observer.spy(bench, subject)
        now = time.time()
        threads, problems = await spy.dump(subject.processes, native=args.native, variables=args.variables)
        if not any(threads.values()):
            if problems:
                raise ProfileError(*next(iter(problems.values())))
            raise _no_python(subject)
        return StacksView(
            name=subject.name,
            run=subject.run,
            processes=describe(subject.processes, threads, problems),
            stacks=fold([thread for found in threads.values() for thread in found], subject.sources),
            time=now,
        )

    async def profile(self, args: ProfileArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        bench.require_running()
        subject = await self._running(bench, args)
        if subject is not None:
            if args.kind != "cpu":
                raise refuse_running(args.kind)
            await self._watch(bench, subject, args, connection)
            return None
        spec = await self._launcher.run_spec(bench, _as_run(args), ctx)
        if args.kind != "cpu":
            spec = await self._profiler.under(bench, spec, args)
        record = await self._launcher.start(bench, spec)
        run = str(record["id"])
        if not args.detach:
            connection.start_stream()
        watching = _in_background(bench, self._from_start(bench, run, args)) if args.kind == "cpu" else None
        if args.detach:
            said = f"{record['name']} runs and is recorded: {run}  (devenv attach; then devenv profile --list)"
            return {"run": to_view(record), "text": said}
        ended = await self._runs.stream_run(bench, run, ctx, connection, tty=spec.tty is not None)
        more: dict[str, Any] = {}
        try:
            view = await (watching or self._profiler.take(bench, ended))
            result = await self._profiler.result(bench, view, lines=args.lines, top=args.top)
            more["profile"] = msgspec.to_builtins(result)
        except DevenvError as error:
            # How the program ended counts for more than that nobody saw it.
            connection.note(f"devenv: {error.message}")
            if error.hint:
                connection.note(f"  {error.hint}")
        await self._runs.finish(connection, ended, more)
        return None

    async def _from_start(self, bench: Workbench, run: str, args: ProfileArgs) -> ProfileView:
        try:
            subject = await self._observer.subject(bench, run)
        except NotFound as error:
            raise ProfileError(
                "nothing was recorded: the program ended at once", "`--trace` sees every call"
            ) from error
        return await self._profiler.watch(bench, subject, args, asyncio.Event(), live=False)

    async def _running(self, bench: Workbench, args: ProfileArgs) -> Subject | None:
        """The live run or process that is meant; None when something is to be started."""
        if args.new or args.target == "-m" or args.args:
            return None
        try:
            return await self._observer.subject(bench, args.target)
        except NotFound:
            if not args.target or args.target.isdigit():
                raise
            return None

    async def _watch(self, bench: Workbench, subject: Subject, args: ProfileArgs, connection: Connection) -> None:
        _require_python(subject)
        enough = asyncio.Event()
        connection.start_stream()
        seconds = seconds_of(args, live=True)
        until = f"for {seconds:g} s" if seconds else "until it ends"
        run = f" ({subject.run})" if subject.run else ""
        connection.note(f"devenv: recording {subject.name}{run} {until}; Ctrl-C ends that and keeps what was seen")
        async with _told_enough(connection, enough):
            view = await self._profiler.watch(bench, subject, args, enough, live=True)
        result = await self._profiler.result(bench, view, lines=args.lines, top=args.top)
        connection.end({"exit": 0, "profile": msgspec.to_builtins(result)})
        await connection.drain()

    async def record(self, args: ProfileArgs, ctx: ClientContext, connection: Connection) -> Any:
        """As `profile` of what runs, for a front end that waits for the result alone; ends when it hangs up."""
        bench = await self._registry.find(args, ctx)
        subject = await self._observer.subject(bench, args.target)
        _require_python(subject)
        enough = asyncio.Event()

        async def listen() -> None:
            await connection.wait_gone()
            enough.set()

        listening = asyncio.create_task(listen())
        try:
            view = await self._profiler.watch(bench, subject, args, enough, live=True)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        return await self._profiler.result(bench, view, lines=args.lines, top=args.top)

    async def profiles(self, args: ProfilesArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        if args.action == "fetch":
            bench.require_running()
            return {"fetched": await self._profiler.fetch(bench)}
        await self._profiler.take_pending(bench)
        store = self._profiler.store(bench)
        if args.action == "list":
            return {"profiles": await asyncio.to_thread(store.all)}
        if args.action == "show":
            view = await asyncio.to_thread(store.find, args.profiles[0] if args.profiles else "last")
            return await self._profiler.result(bench, view, lines=args.lines, top=args.top)
        if len(args.profiles) != 2:
            raise UsageError("two profiles are compared", "devenv profile --compare BEFORE AFTER; see --list")
        before, after = args.profiles
        return await self._profiler.comparison(bench, before, after, args.top)


def _require_python(subject: Subject) -> None:
    if not any(process.python or process.attach for process in subject.processes):
        raise _no_python(subject)


def _no_python(subject: Subject) -> NotFound:
    hint = f"its output: devenv logs {subject.run}" if subject.run else "see: devenv exec -- ps ax"
    return NotFound(f"{subject.name} is no Python program and has started none", hint)


def _in_background(bench: Workbench, work: Coroutine[Any, Any, ProfileView]) -> asyncio.Future[ProfileView]:
    """It goes on when the client leaves; whoever waits hears how it went."""
    heard: asyncio.Future[ProfileView] = asyncio.get_running_loop().create_future()

    async def do() -> None:
        try:
            heard.set_result(await work)
        except asyncio.CancelledError:
            heard.cancel()
            raise
        except Exception as error:  # whoever waits must hear of every end
            heard.set_exception(error)
            heard.exception()  # nobody may be left to hear it
            if not isinstance(error, DevenvError):
                raise

    bench.start(do(), "profile")
    return heard


def _as_run(args: ProfileArgs) -> RunArgs:
    return RunArgs(
        folder=args.folder,
        config=args.config,
        target=args.target,
        args=args.args,
        tty=args.tty,
        name=args.name,
        env=args.env,
    )


@contextlib.asynccontextmanager
async def _told_enough(connection: Connection, enough: asyncio.Event) -> AsyncIterator[None]:
    """Sets `enough` at the client's Ctrl-C, and when it goes away."""

    async def listen() -> None:
        try:
            while True:
                kind, payload = await connection.recv_frame()
                pressed = kind == wire.STDIN and b"\x03" in payload  # in a terminal that passes every key on
                if pressed or (kind == wire.SIGNAL and payload[:1] == bytes([signal.SIGINT])):
                    enough.set()
        except ClientGone:
            enough.set()

    task = asyncio.create_task(listen())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
