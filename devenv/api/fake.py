"""A client without a supervisor, for the tests of front ends and for trying the TUI with no engine at hand.

It keeps the promises of `devenv.api.port.Client` (the same contract tests run over it and over the real client) and
does nothing else: no socket, no file, no process. What it says is scripted by the caller, and time never passes in it
on its own: a caller that wants to see a state in between holds it with `gate`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from devenv.api import fake_debug, fake_sync
from devenv.api.fake_spool import FakeSpool, Spool
from devenv.api.port import ProgressCallback
from devenv.api.profiling import ProfileResult
from devenv.api.views import (
    ConfigurationView,
    DebugSessionView,
    DebugView,
    EnvironmentView,
    EnvStatus,
    OutputChunk,
    ProgressView,
    RunConfigView,
    RunState,
    RunView,
    ServiceView,
    Snapshot,
    SyncView,
    TestsView,
    TestView,
)
from devenv.errors import DevenvError, LiveRuns, NotFound, NotUp

Step = ProgressView | str | EnvStatus

DEFAULT_UP: tuple[Step, ...] = (
    EnvStatus.BUILDING,
    ProgressView(key="build", title="Build the image"),
    "#1 FROM docker.io/pytorch/pytorch",
    ProgressView(key="build", title="Build the image", done=True),
    EnvStatus.STARTING,
    ProgressView(key="start", title="Start the container", done=True),
)


class FakeClient:
    """A scripted environment. Public attributes are the script; `calls` is what the front end asked for, in order."""

    def __init__(self, snapshot: Snapshot, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = snapshot.environment.local_folder
        self.snapshot = snapshot
        self.spools: dict[str, Spool] = {}
        self.sizes: dict[str, tuple[int, int]] = {}  # rows and columns of each run's terminal
        self.calls: list[tuple[object, ...]] = []
        self.up_steps: Sequence[Step] = DEFAULT_UP
        self.up_error: DevenvError | None = None
        self.test_results: Sequence[TestView] = ()
        self.build_text = ""
        self.gate = asyncio.Event()  # cleared: `up` and `start` wait on their last step
        self.gate.set()
        self.closed = False
        self.configured = True  # False: `up` offers to write a devcontainer.json
        self.configuration_views: Sequence[ConfigurationView] = ()
        self.remembered: str | None = None  # not None: nothing is chosen yet; "": nothing was last time either
        self.claims: set[tuple[int, float]] = set()  # of every front end; granted once each
        self.stack_text = ""
        self.profile_result: ProfileResult | None = None
        self.sessions: Sequence[DebugSessionView] = ()
        self.attach_notes: Sequence[str] = ()
        self.farewell = ""  # what `leave` answers
        self._clock = clock
        self._failures: dict[str, list[DevenvError]] = {}
        self._changed = asyncio.Event()
        self._number = 0

    # The script

    def change(self, **fields: object) -> None:
        """Replaces fields of the snapshot and tells every watcher."""
        self.snapshot = msgspec.structs.replace(self.snapshot, **fields)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def change_environment(self, **fields: object) -> None:
        self.change(environment=msgspec.structs.replace(self.snapshot.environment, **fields))

    def fail_next(self, verb: str, error: DevenvError) -> None:
        """The next call of `verb` raises `error` (also `watch`: the watch in progress ends with it)."""
        self._failures.setdefault(verb, []).append(error)
        if verb == "watch":
            self.change()

    def emit(self, run: str, data: bytes) -> None:
        """Output of a run."""
        spool = self.spools[run]
        assert isinstance(spool, FakeSpool)
        spool.write(data)

    def finish(self, run: str, exit_code: int = 0, *, state: RunState = RunState.EXITED, reason: str = "") -> None:
        signal = 2 if state is RunState.SIGNALED else None
        ended = {"state": state, "exit_code": None if signal else exit_code, "signal": signal, "reason": reason}
        self._replace_run(run, ended=self._clock(), size=self.spools[run].size, **ended)

    # The port

    async def watch(self) -> AsyncIterator[Snapshot]:
        while True:
            changed = self._changed
            self._fail("watch")
            if self.remembered is not None:
                raise DevenvError(
                    f"{self.folder}/.devcontainer: has several configurations",
                    "choose with --config: cpu, gpu",
                    details={"offer": "configs", "remembered": self.remembered},
                )
            yield self.snapshot
            await changed.wait()

    async def configurations(self) -> list[ConfigurationView]:
        self._called("configurations")
        env = self.snapshot.environment
        only = ConfigurationView(config=".devcontainer.json", file=env.config_file, default=True, status=env.status)
        return list(self.configuration_views) or [only]

    def choose(self, config: str) -> None:
        self.calls.append(("choose", config))
        self.remembered = None
        self.change_environment(config_file=config)

    async def claim_opening(self, port: int, since: float) -> bool:
        self._called("claim_opening", port, since)
        known = any((view.port, view.since) == (port, since) for view in self.snapshot.ports)
        granted = known and (port, since) not in self.claims
        self.claims.add((port, since))
        return granted

    async def leave(self) -> str:
        self._called("leave")
        return self.farewell

    async def init(self) -> list[str]:
        self._called("init")
        self.configured = True
        return ["Python 3.11: pyproject.toml asks for it"]

    async def environments(self) -> list[EnvironmentView]:
        self._called("environments")
        return [self.snapshot.environment]

    async def up(self, progress: ProgressCallback, *, rebuild: bool = False, force: bool = False) -> EnvironmentView:
        self._called("up", rebuild, force)
        if not self.configured:
            raise NotFound("There is no devcontainer.json.", "Run `devenv init`.", details={"offer": "init"})
        if rebuild:
            self._refuse_live("rebuild", force)
        await self._play(progress)
        self.change_environment(status=EnvStatus.RUNNING, started=self._clock())
        return self.snapshot.environment

    async def start(self, progress: ProgressCallback) -> EnvironmentView:
        self._called("start")
        if self.snapshot.environment.status is EnvStatus.ABSENT:
            raise NotUp("There is no container.", "Run `devenv up`.")
        await self._play(progress)
        self.change_environment(status=EnvStatus.RUNNING, started=self._clock())
        return self.snapshot.environment

    async def stop(self, *, force: bool = False) -> None:
        self._called("stop", force)
        self._refuse_live("stop", force)
        self._end_all()
        self.change_environment(status=EnvStatus.STOPPED, started=None)

    async def down(self, *, volumes: bool = False, force: bool = False) -> None:
        self._called("down", volumes, force)
        self._refuse_live("down", force)
        self._end_all()
        self.change(runs=[], environment=self._absent())

    async def run(self, target: str, args: list[str], *, debug: bool = False, wait: bool = False) -> str:
        self._called("run", target, tuple(args), debug, wait)
        self._need_up()
        names = [config.name for config in self.snapshot.configs]
        if target not in names and not target.endswith(".py"):
            raise NotFound(f"There is no run configuration {target!r}.", f"There are: {', '.join(names) or 'none'}.")
        argv = ["python", target, *args] if target.endswith(".py") else [target, *args]
        return self._start(target, "debug" if debug else "run", argv)

    async def rerun(self, run: str) -> str:
        self._called("rerun", run)
        self._need_up()
        old = self._run(run)
        return self._start(old.name, old.kind, old.argv)

    async def end_run(self, run: str, *, force: bool = False) -> None:
        self._called("end_run", run, force)
        if self._run(run).state.live:
            self.finish(run, state=RunState.SIGNALED)

    async def read_output(
        self, run: str, *, offset: int | None = None, length: int = 65536, tail: int | None = None
    ) -> OutputChunk:
        self._fail("read_output")
        self._run(run)
        return self.spools[run].read(offset, length, tail)

    async def send_input(self, run: str, data: bytes) -> None:
        self._called("send_input", run, data)
        if not self._run(run).state.live:
            raise NotFound(f"Run {run} has ended.", "Start it again with `devenv rerun`.")
        self.emit(run, data.replace(b"\r", b"\r\n"))

    async def resize(self, run: str, rows: int, columns: int) -> None:
        self._fail("resize")
        self._run(run)
        self.sizes[run] = (rows, columns)

    async def stack(self, run: str) -> str:
        self._called("stack", run)
        self._run(run)
        return self.stack_text

    async def profile(self, run: str, seconds: float) -> ProfileResult:
        self._called("profile", run, seconds)
        self._run(run)
        assert self.profile_result is not None
        return self.profile_result

    async def debug_sessions(self, *, select: str = "") -> tuple[list[DebugSessionView], DebugView | None]:
        self._called("debug_sessions", select)
        self._need_up()
        if select:
            self.sessions = fake_debug.choose(self.sessions, select)
        return list(self.sessions), self.snapshot.debug

    async def attach_debugger(self, run: str, *, privileged: bool = False) -> str:
        self._called("attach_debugger", run, privileged)
        self.sessions = fake_debug.attach(self.sessions, self._run(run))
        first = f"devenv: debugger ready at 127.0.0.1:5678: in {self._run(run).name}, after 0.4 s; the program goes on"
        return "\n".join([first, *(f"devenv: {note}" for note in self.attach_notes)])

    async def sync(
        self, action: str, *, name: str = "", take: str = "", allow_deletions: bool = False
    ) -> tuple[SyncView | None, str]:
        self._called("sync", action, name, take, allow_deletions)
        self._need_up()
        view, text = fake_sync.answer(self.snapshot.sync, action, name)
        self.change(sync=view)
        return view, text

    async def test(self, args: list[str]) -> str:
        self._called("test", tuple(args))
        self._need_up()
        run = self._start("test", "test", ["pytest", *args])
        chosen = [test for test in self.test_results if not args or test.id in args]
        self.show_tests(chosen, run)
        self.finish(run, 1 if any(test.outcome in ("failed", "error") for test in chosen) else 0)
        return run

    async def watch_tests(self, on: bool) -> None:
        self._called("watch_tests", on)
        self._need_up()
        state = "watching" if on else "idle"
        self.change(tests=msgspec.structs.replace(self.snapshot.tests, watching=on, state=state))

    async def service(self, name: str, action: str) -> None:
        self._called("service", name, action)
        self._need_up()
        if name not in [service.name for service in self.snapshot.services]:
            raise NotFound(f"There is no service {name!r}.", "See `devenv ports`.")
        state = "stopped" if action == "stop" else "running"

        def moved(service: ServiceView) -> ServiceView:
            return msgspec.structs.replace(service, state=state) if service.name == name else service

        self.change(services=[moved(service) for service in self.snapshot.services])

    async def build_log(self, *, tail: int = 65536) -> str:
        self._fail("build_log")
        return self.build_text[-tail:]

    async def close(self) -> None:
        self.closed = True

    # Inside

    def show_tests(self, tests: Sequence[TestView], run: str | None) -> None:
        """Puts test results on the snapshot, counted."""
        outcomes = [test.outcome for test in tests]
        view = TestsView(
            run=run,
            state=self.snapshot.tests.state,
            watching=self.snapshot.tests.watching,
            collected=len(tests),
            passed=outcomes.count("passed"),
            failed=outcomes.count("failed") + outcomes.count("error"),
            skipped=outcomes.count("skipped"),
            seconds=sum(test.seconds for test in tests),
            tests=list(tests),
        )
        self.change(tests=view)

    def _called(self, verb: str, *args: object) -> None:
        self.calls.append((verb, *args))
        self._fail(verb)

    def _fail(self, verb: str) -> None:
        if failures := self._failures.get(verb):
            raise failures.pop(0)

    def _need_up(self) -> None:
        if self.snapshot.environment.status is not EnvStatus.RUNNING:
            raise NotUp("The environment is not running.", "Run `devenv up`.")

    def _refuse_live(self, verb: str, force: bool) -> None:
        live = [run for run in self.snapshot.runs if run.state.live]
        if live and not force:
            names = ", ".join(run.name for run in live)
            details = {"runs": [{"id": run.id, "name": run.name} for run in live]}
            raise LiveRuns(f"{verb} would end: {names}.", "Use --force to end them.", details=details)

    def _end_all(self) -> None:
        for run in self.snapshot.runs:
            if run.state.live:
                self.finish(run.id, state=RunState.SIGNALED)

    def _absent(self) -> EnvironmentView:
        replaced = {"status": EnvStatus.ABSENT, "container": "", "container_id": "", "started": None}
        return msgspec.structs.replace(self.snapshot.environment, **replaced)

    def _run(self, run: str) -> RunView:
        for view in self.snapshot.runs:
            if view.id == run:
                return view
        raise NotFound(f"There is no run {run}.", "See `devenv runs`.")

    def _replace_run(self, run: str, **fields: object) -> None:
        runs = [msgspec.structs.replace(r, **fields) if r.id == run else r for r in self.snapshot.runs]
        live = {r.id for r in runs if r.state.live}

        def freed(config: RunConfigView) -> RunConfigView:
            gone = config.run is not None and config.run not in live
            return msgspec.structs.replace(config, run=None) if gone else config

        self.change(runs=runs, configs=[freed(config) for config in self.snapshot.configs])

    def _start(self, name: str, kind: str, argv: list[str]) -> str:
        self._number += 1
        run = f"20260105-093000-{self._number:04x}"
        view = RunView(
            id=run,
            name=name,
            kind=kind,
            state=RunState.RUNNING,
            argv=argv,
            cwd=self.snapshot.environment.workspace_folder,
            tty=True,
            started=self._clock(),
        )
        self.spools.setdefault(run, FakeSpool())
        configs = [msgspec.structs.replace(c, run=run) if c.name == name else c for c in self.snapshot.configs]
        self.change(runs=[view, *self.snapshot.runs], configs=configs)
        return run

    async def _play(self, progress: ProgressCallback) -> None:
        open_steps: dict[str, ProgressView] = {}
        for step in self.up_steps:
            if isinstance(step, EnvStatus):
                self.change_environment(status=step)
                continue
            progress(step)
            if isinstance(step, ProgressView):
                open_steps[step.key] = step
        await self.gate.wait()
        for step in open_steps.values():
            if not step.done:
                progress(msgspec.structs.replace(step, done=True, ok=self.up_error is None))
        if self.up_error is not None:
            self.change_environment(status=EnvStatus.BROKEN)
            raise self.up_error
