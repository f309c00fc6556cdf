"""From what a person wants recorded to a kept profile, for one environment.

The rooms do the work (`devenv.profile`, `devenv.delivery`, `devenv.runs`); this file brings them together.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.resources
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from devenv.api.profiling import ComparisonView, ProfileArgs, ProfileResult, ProfileView
from devenv.api.views import RunState
from devenv.delivery.inspect import collect
from devenv.errors import DevenvError, ProfileError
from devenv.profile import results
from devenv.profile.frames import Sources
from devenv.profile.labels import label
from devenv.profile.recording import Options, record
from devenv.profile.samples import Samples, read_raw, read_speedscope, read_stacks, write_speedscope
from devenv.profile.store import Store, new_id
from devenv.profile.tools import in_interpreter
from devenv.profile.wrapping import TOOLS, wrapped
from devenv.runs.spec import RunSpec
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.observing import Observer, Subject
from devenv.supervisor.workbench import Workbench

GPU_SECONDS = 30.0  # a trace of every operation grows by megabytes in a second
LIVE_SECONDS = 10.0
_HARDLY = 0.25  # of the time: a program of which less is seen waits for something
_MOST = 512 << 20  # bytes of results


def seconds_of(args: ProfileArgs, *, live: bool) -> float:
    """For how long to record; 0: to the end."""
    if args.seconds is not None:
        return args.seconds
    return LIVE_SECONDS if live else GPU_SECONDS if args.kind == "gpu" else 0.0


class Profiler:
    def __init__(self, launcher: Launcher, observer: Observer) -> None:
        self._launcher = launcher
        self._observer = observer
        self._collecting: dict[str, asyncio.Lock] = {}

    def store(self, bench: Workbench) -> Store:
        return profiles_of(bench)

    # CPU, from outside

    async def watch(
        self, bench: Workbench, subject: Subject, args: ProfileArgs, enough: asyncio.Event, *, live: bool
    ) -> ProfileView:
        """Records processes that run, and keeps what was seen."""
        seconds = seconds_of(args, live=live)
        options = Options(seconds, args.rate, args.native, args.idle, args.gil, args.nonblocking)
        spy = await self._observer.spy(bench, subject)
        known = {process.pid for process in subject.processes}
        roots = [process for process in subject.processes if process.ppid not in known]
        labels = {process.pid: label(process, ()) for process in subject.processes}
        began = time.time()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(record(spy, root, options, enough)) for root in roots]
        except ExceptionGroup as several:
            raise several.exceptions[0] from several
        took = min(time.time() - began, seconds or float("inf"))  # what starting the tool took is no part of it
        files = [task.result() for task in tasks]
        samples = await asyncio.to_thread(_read, files, options, labels)
        if not samples.count:
            raise ProfileError(
                f"nothing of {subject.name} ran on a processor in {took:.1f} s",
                "waiting counts too with --idle; `devenv stack` shows where it waits",
            )
        view = self._view("cpu", subject.name, subject.run, began, took, samples, whole=not live and not seconds)
        if samples.total < took * _HARDLY and not args.idle:
            note = "hardly anything ran: waiting counts too with --idle, and `devenv stack` shows where it waits"
            view = msgspec.structs.replace(view, notes=[note])
        in_order = len(files) == 1 and not options.folded
        speedscope = files[0] if in_order else write_speedscope(samples, subject.name)
        return await self._keep(bench, view, samples, subject.sources, {"speedscope": speedscope})

    # memory, GPU and traces, from inside

    async def under(self, bench: Workbench, spec: RunSpec, args: ProfileArgs) -> RunSpec:
        """The run with its profiler, which is delivered when it is not there yet. Raises ProfileError, UsageError."""
        link = await bench.link()
        python = spec.program.python or (await self._launcher.probed(bench)).python or "python3"
        interpreter = await self._launcher.interpreter(bench, python, env=spec.env, cwd=spec.cwd)
        placing = self._launcher.placing(bench)
        tools = ""
        if name := TOOLS[args.kind]:
            tree = await asyncio.to_thread(self._observer.cache.tree, in_interpreter(name, interpreter))
            tools = await placing.place(link, tree, tree.name, link_files=True)
        elif not await self._has_torch(bench, python, spec):
            raise ProfileError(
                f"{python} has no torch, and --gpu records by torch.profiler",
                "`devenv profile --cpu` and `--trace` need none",
            )
        folder, payload = recorder_payload()
        recorder = await placing.place(link, folder, payload)
        return wrapped(
            spec,
            interpreter,
            args.kind,
            recorder=f"{recorder}/record.py",
            tools=tools,
            folder=f"{link.hello.state_dir.rstrip('/')}/profiles/{new_id(time.time())}",
            seconds=seconds_of(args, live=False),
        )

    async def _has_torch(self, bench: Workbench, python: str, spec: RunSpec) -> bool:
        link = await bench.link()
        words = [python, "-c", "import importlib.util, sys; sys.exit(not importlib.util.find_spec('torch'))"]
        channel = await link.spawn(words, env=spec.env, cwd=spec.cwd)
        try:
            await channel.send_eof()
            _, _, result = await collect(channel)
        finally:
            await channel.close()
        return result.get("exit") == 0

    async def take(self, bench: Workbench, record: Mapping[str, Any]) -> ProfileView:
        """Fetches what a run under a profiler has left in the container; once. Raises ProfileError, NotFound."""
        run = str(record["id"])
        async with self._collecting.setdefault(run, asyncio.Lock()):
            store = self.store(bench)
            for view in await asyncio.to_thread(store.all):
                if view.run == run:
                    return view
            return await self._take(bench, record)

    async def _take(self, bench: Workbench, record: Mapping[str, Any]) -> ProfileView:
        meta, link = record["meta"]["profile"], await bench.link()
        try:
            kind, limit = str(meta["kind"]), float(meta["seconds"]) or float("inf")
            words = [str(meta[word]) for word in ("python", "recorder")]
            words += ["read", kind, str(meta["tools"]), str(meta["folder"])]
        except (KeyError, TypeError, ValueError) as error:
            raise ProfileError(f"the record of run {record['id']} does not say how it was profiled") from error
        env = dict((await self._launcher.probed(bench)).env)
        channel = await link.spawn(words, env=env, cwd="/")
        try:
            await channel.send_eof()
            out, err, result = await collect(channel, _MOST)
        finally:
            await channel.close()
        if result.get("exit") != 0:
            last = err.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise ProfileError(
                f"nothing was recorded of {record.get('name')}: {last[0]}", f"its output: devenv logs {record['id']}"
            )
        line, _, trace = out.partition(b"\n")
        samples = await asyncio.to_thread(read_stacks, line)
        began, ended = float(record["started"]), float(record.get("ended") or time.time())
        name = str(record.get("name", record["id"]))
        took, whole = min(ended - began, limit), ended - began <= limit
        view = self._view(kind, name, str(record["id"]), began, took, samples, whole=whole)
        files = {"speedscope": write_speedscope(samples, name)}
        if trace:
            files["trace"] = trace
        sources = Sources(bench.paths, str(record.get("cwd", "")))
        return await self._keep(bench, view, samples, sources, files)

    async def take_pending(self, bench: Workbench) -> None:
        """What ended while nobody watched: a client that left, a supervisor that was started again."""
        if not bench.running or bench.no_python:
            return
        kept = {view.run for view in await asyncio.to_thread(self.store(bench).all)}
        for run in bench.runs.all():
            waiting = (run.get("meta") or {}).get("profile") and run["id"] not in kept
            if waiting and run["state"] not in (RunState.STARTING, RunState.RUNNING, RunState.LOST):
                folder = str(run["meta"]["profile"].get("folder"))
                link = await bench.link()
                if (await link.request("stat", paths=[folder])).get(folder):
                    try:
                        await self.take(bench, run)
                    except DevenvError as error:
                        bench.note(error.message)

    async def fetch(self, bench: Workbench) -> list[str]:
        """Every profiler for this environment into the host's cache; their names there. What none fits is left out."""
        link = await bench.link()
        machine = str((await link.request("processes", pids=[]))["machine"])
        cache = self._observer.cache
        found = [(await asyncio.to_thread(cache.py_spy, machine)).name]
        probed = await self._launcher.probed(bench)
        if probed.python:
            interpreter = await self._launcher.interpreter(bench, probed.python, env=probed.env, cwd="/")
            for name in ("memray", "viztracer"):
                try:
                    tool = in_interpreter(name, interpreter)
                except ProfileError as error:
                    found.append(error.message)
                    continue
                found.append((await asyncio.to_thread(cache.tree, tool)).name)
        return found

    # results

    def _view(
        self, kind: str, name: str, run: str | None, began: float, took: float, samples: Samples, *, whole: bool
    ) -> ProfileView:
        return ProfileView(
            id=new_id(began),
            kind=kind,
            name=name,
            run=run,
            started=began,
            seconds=took,
            unit=samples.unit,
            total=samples.total,
            count=samples.count,
            processes=samples.processes,
            whole=whole,
        )

    async def _keep(
        self, bench: Workbench, view: ProfileView, samples: Samples, sources: Sources, files: dict[str, bytes]
    ) -> ProfileView:
        def keep() -> ProfileView:
            return self.store(bench).add(view, {"page": results.flame(view, samples, sources), **files})

        return await asyncio.to_thread(keep)

    async def result(self, bench: Workbench, view: ProfileView, *, lines: bool, top: int) -> ProfileResult:
        """A kept profile with its table."""
        sources = Sources(bench.paths, self._cwd(bench, view))

        def read() -> ProfileResult:
            samples = self.store(bench).samples(view)
            root = bench.target.local_folder
            return ProfileResult(
                profile=view,
                rows=results.rows(samples, sources, lines=lines, top=top, root=root),
                project=results.project_rows(samples, sources, lines=lines, top=top, root=root),
            )

        return await asyncio.to_thread(read)

    async def comparison(self, bench: Workbench, first: str, second: str, top: int) -> ComparisonView:
        """Two kept profiles side by side. Raises NotFound, UsageError."""

        def read() -> ComparisonView:
            store = self.store(bench)
            before, after = store.find(first), store.find(second)
            sources = Sources(bench.paths, self._cwd(bench, after))
            unit, old, new = results.comparable(before, after, [store.samples(before), store.samples(after)])
            changes = results.changes(old, new, sources, top)
            path = store.folder / after.id / f"compared-with-{before.id}.html"
            path.write_bytes(results.difference(before, after, unit, (old, new), sources))
            return ComparisonView(
                before=before, after=after, unit=unit, total=(old.total, new.total), rows=changes, page=str(path)
            )

        return await asyncio.to_thread(read)

    def _cwd(self, bench: Workbench, view: ProfileView) -> str:
        found = bench.runs.get(view.run) if view.run else None
        return str((found or {}).get("cwd", ""))


def profiles_of(bench: Workbench) -> Store:
    """What was recorded in an environment."""
    return Store(bench.folder / "profiles")


def _read(files: list[bytes], options: Options, labels: Mapping[int, str]) -> Samples:
    if options.folded:
        return _together([read_raw(data, options.rate, labels) for data in files])
    return _together([read_speedscope(data, labels) for data in files])


def _together(parts: list[Samples]) -> Samples:
    if len(parts) == 1:
        return parts[0]
    weights: dict[Any, float] = {}
    for part in parts:
        for stack, weight in part.weights.items():
            weights[stack] = weights.get(stack, 0.0) + weight
    return dataclasses.replace(
        parts[0],
        weights=weights,
        count=sum(part.count for part in parts),
        processes=sum(part.processes for part in parts),
    )


def recorder_payload() -> tuple[pathlib.Path, str]:
    """(host folder, its name in the container): named by its content, so that another release brings its own."""
    import hashlib

    folder = pathlib.Path(str(importlib.resources.files("devenv.profile.inside")))
    digest = hashlib.sha256((folder / "record.py").read_bytes()).hexdigest()[:12]
    return folder, f"record-{digest}"
