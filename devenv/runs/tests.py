"""pytest as a run: the command line, and the report that the plugin's lines add up to.

Results come from the plugin's structured lines only; what pytest prints is for people. The lines are written in the
container, so they are data: bad ones are dropped, paths are mapped and never opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import posixpath
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from devenv.api.views import TestsView, TestView
from devenv.runs.resolve import python_for
from devenv.runs.spec import Probed, Program, ProgramKind, RunSpec, append_path, compose_env

if TYPE_CHECKING:
    from devenv.api.context import ClientContext
    from devenv.config import TestConfig
    from devenv.link.port import WindowSize
    from devenv.runs.workspace import WorkspacePaths

PLUGIN_MODULE = "devenv_pytest"
_FIRST_IDS = 300  # ids asked to run first: they travel in one environment variable
_FIRST_BYTES = 60_000
_MOST_LINE = 4 << 20
_MOST_SHOWN = 1000
_FAILED = ("failed", "error")
_OUTCOMES = frozenset({"passed", "failed", "skipped", "error", "xfailed", "xpassed"})


def plugin_payload() -> tuple[pathlib.Path, str]:
    """The plugin's folder on the host, and the name that it gets in the container (which follows its contents)."""
    folder = pathlib.Path(__file__).parent / "pytest_plugin"
    digest = hashlib.sha256((folder / f"{PLUGIN_MODULE}.py").read_bytes()).hexdigest()
    return folder, f"pytest-plugin-{digest[:12]}"


def names_paths(args: Sequence[str], cwd: str) -> bool:
    """Whether the arguments say what to test: one is a path, or node id, that exists on the host."""
    return any(not arg.startswith("-") and os.path.lexists(posixpath.join(cwd, arg.split("::")[0])) for arg in args)


def build_test_spec(
    test: TestConfig,
    args: Sequence[str],
    *,
    workspace: WorkspacePaths,
    probed: Probed,
    plugin: str,
    ctx: ClientContext,
    remote_env: Mapping[str, str | None] | None = None,
    tty: WindowSize | None = None,
    first: Sequence[str] = (),
    name: str = "test",
) -> RunSpec:
    """The run that `devenv test ARGS` means. `plugin` is the container folder that holds the plugin.

    The configured paths are used, from the project's root, when the arguments name none. `first` are node ids
    and files that shall run before the others. Raises NoPython.
    """
    python = python_for(test.python, probed, workspace)
    cwd = workspace.working_folder(ctx.cwd)
    words = [*test.args, *args]
    if test.paths and not names_paths(args, ctx.cwd):
        words += [posixpath.relpath(posixpath.join(workspace.container, path), cwd) for path in test.paths]
    env = compose_env(probed.env, remote_env or {}, test.env, terminal=None if tty is None else ctx.env)
    env["PYTHONPATH"] = append_path(env.get("PYTHONPATH"), plugin)
    env.pop("DEVENV_TEST_FIRST", None)
    if first:
        env["DEVENV_TEST_FIRST"] = _first_ids(first)
    program = Program(ProgramKind.MODULE, "pytest", ("-p", PLUGIN_MODULE, *words), python)
    return RunSpec(
        name=name,
        kind="test",
        program=program,
        argv=program.argv,
        env=env,
        cwd=cwd,
        tty=tty,
        umask=ctx.umask,
        events=True,
        meta={"target": "pytest", "args": list(args), "client_cwd": ctx.cwd},
    )


def _first_ids(first: Sequence[str]) -> str:
    ids: list[str] = []
    size = 0
    for nodeid in first[:_FIRST_IDS]:
        size += len(nodeid) * 6 + 4  # JSON escapes a character in at most six
        if size > _FIRST_BYTES:
            break
        ids.append(nodeid)
    return json.dumps(ids)


class TestReport:
    """State of one test run, fed with the bytes of its events stream; `view` is what a front end shows.

    Feeding from the start again after a reconnect (into a new object) gives the same report.
    """

    __test__ = False  # for pytest: not a class of tests

    def __init__(self, workspace: WorkspacePaths, run: str | None = None, *, watching: bool = False) -> None:
        self.run = run
        self.watching = watching
        self.collected = 0
        self.status: int | None = None  # pytest's exit status, once it said so
        self.warnings = 0
        self.seconds = 0.0
        self.started = False
        self.stopping = False  # somebody asked the run to end: what it was at then says nothing
        self.rootdir = workspace.container
        self._workspace = workspace
        self._tests: dict[str, TestView] = {}
        self._rest = b""
        self._over = False
        self._counting = False

    def feed(self, data: bytes) -> bool:
        """Takes in bytes of the stream as they come; True when anything changed."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _MOST_LINE:
            self._rest = b""
        changed = False
        for line in lines:
            changed = self._line(line) or changed
        return changed

    def _line(self, line: bytes) -> bool:
        try:
            said = json.loads(line)
            handler = getattr(self, f"_on_{said['e']}", None)
            if handler is None:
                return False  # a later plugin says more
            handler(said)
        except (ValueError, KeyError, TypeError, AttributeError):
            return False  # a line cut by a crash, or not from our plugin
        return True

    def _on_start(self, said: Mapping[str, Any]) -> None:
        self.started = True
        self.rootdir = str(said["rootdir"])

    def _on_collected(self, said: Mapping[str, Any]) -> None:
        self._counting = bool(said["more"])
        self.collected = self.collected + len(said["ids"]) if self._counting else int(said["n"])

    def _on_begin(self, said: Mapping[str, Any]) -> None:
        nodeid = str(said["id"])
        self._tests[nodeid] = TestView(
            id=nodeid, outcome="running", file=self._host(str(said["file"])), line=int(said["line"])
        )

    def _on_test(self, said: Mapping[str, Any]) -> None:
        nodeid, outcome = str(said["id"]), str(said["outcome"])
        if outcome not in _OUTCOMES:
            return
        known = self._tests.get(nodeid)
        if known is not None and known.outcome in _FAILED and outcome not in _FAILED:
            return  # a part of it failed: another part that passed does not mend it
        file, line = str(said["file"]), int(said["line"])
        self._tests[nodeid] = TestView(
            id=nodeid,
            outcome=outcome,
            seconds=float(said["seconds"]),
            message=str(said["message"]),
            file=self._host(file) if file else (known.file if known else ""),
            line=line if file else (known.line if known else 0),
        )

    def _on_broken(self, said: Mapping[str, Any]) -> None:
        nodeid = str(said["id"])
        file = str(said["file"]) or posixpath.join(self.rootdir, nodeid)
        self._tests[nodeid] = TestView(
            id=nodeid, outcome="error", message=str(said["message"]), file=self._host(file), line=int(said["line"])
        )

    def _on_finish(self, said: Mapping[str, Any]) -> None:
        self.status = int(said["status"])
        self.warnings = int(said["warnings"])
        self.seconds = float(said["seconds"])

    def _host(self, path: str) -> str:
        return self._workspace.to_host(path) or path

    def end(self, record: Mapping[str, Any]) -> None:
        """The run is over. A test that was running then ended with the process, and says so; where the run was asked
        to end, it was not at fault and is passed over."""
        self._over = True
        if self.stopping:
            self._tests = {nodeid: test for nodeid, test in self._tests.items() if test.outcome != "running"}
        began, ended = record.get("started"), record.get("ended")
        if not self.seconds and began and ended:
            self.seconds = max(0.0, float(ended) - float(began))
        number = record.get("signal")
        reason = f"signal {number}" if number is not None else f"exit code {record.get('exit_code')}"
        for nodeid, test in self._tests.items():
            if test.outcome == "running":
                self._tests[nodeid] = TestView(
                    id=nodeid,
                    outcome="error",
                    message=f"the test process ended during this test ({reason})",
                    file=test.file,
                    line=test.line,
                )

    @property
    def failed_ids(self) -> list[str]:
        """Node ids (and files that could not be collected) to run first the next time."""
        return [test.id for test in self._tests.values() if test.outcome in _FAILED]

    @property
    def passed_ids(self) -> list[str]:
        return [test.id for test in self._tests.values() if test.outcome not in (*_FAILED, "running")]

    @property
    def state(self) -> str:
        if self._over:
            return "watching" if self.watching else "idle"
        return "running" if self._tests or (self.collected and not self._counting) else "collecting"

    def hint(self, record: Mapping[str, Any]) -> str:
        """One line for a run that ended without a single line of the plugin; "" otherwise."""
        if self.started or record.get("exit_code") in (None, 0):
            return ""
        argv = record.get("argv") or ["python"]
        return f"pytest did not start: is it installed for {argv[0]}? (5 or later: {argv[0]} -m pip install pytest)"

    def view(self) -> TestsView:
        """The newest state; of very many tests those that failed or run, and the latest of the others."""
        outcomes = [test.outcome for test in self._tests.values()]
        shown = list(self._tests.values())
        if len(shown) > _MOST_SHOWN:
            matter = [test for test in shown if test.outcome in (*_FAILED, "running")][:_MOST_SHOWN]
            room = _MOST_SHOWN - len(matter)
            others = [test for test in shown if test.outcome not in (*_FAILED, "running")]
            shown = matter + (others[-room:] if room else [])
        return TestsView(
            run=self.run,
            state=self.state,
            collected=self.collected,
            passed=sum(outcome in ("passed", "xpassed", "xfailed") for outcome in outcomes),
            failed=sum(outcome in _FAILED for outcome in outcomes),
            skipped=outcomes.count("skipped"),
            seconds=self.seconds,
            watching=self.watching,
            tests=shown,
        )
