"""What a front end may know: frozen view models and status enumerations.

Views are values. A front end holds the newest one and never asks the engine, the link or a file.
Times are seconds since the epoch, sizes are bytes.
"""

from __future__ import annotations

import enum

import msgspec


class EnvStatus(enum.StrEnum):
    """The state of an environment: a word for machines, `sentence` for people."""

    ABSENT = "absent"
    CREATING = "creating"
    BUILDING = "building"
    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    BROKEN = "broken"
    ENGINE_LOST = "engine-lost"

    @property
    def sentence(self) -> str:
        return {
            "absent": "No container yet; `devenv up` makes one.",
            "creating": "The container is being created.",
            "building": "The image is being built.",
            "starting": "The container is starting.",
            "running": "The container is running.",
            "stopped": "The container is stopped; `devenv start` continues.",
            "paused": "The container is paused.",
            "broken": "The container does not start; see `devenv logs --build`.",
            "engine-lost": "The container engine does not answer.",
        }[self.value]


class RunState(enum.StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    EXITED = "exited"
    SIGNALED = "signaled"
    OOM = "oom"
    LOST = "lost"
    FAILED = "failed"

    @property
    def live(self) -> bool:
        return self in (RunState.STARTING, RunState.RUNNING)


class View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of the views. Unknown fields are ignored, so that an older front end reads a newer supervisor."""


class DriftView(View, frozen=True, kw_only=True):
    """One property that differs between the configuration and the container."""

    property: str
    wanted: str
    actual: str
    live: bool = False  # can be applied without a rebuild


class RunView(View, frozen=True, kw_only=True):
    id: str
    name: str
    kind: str  # run | debug | test | service
    state: RunState
    argv: list[str]
    cwd: str
    tty: bool
    started: float
    ended: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    size: int = 0
    dropped: int = 0
    gap: tuple[int, int] | None = None
    attached: int = 0
    reason: str = ""


class RunConfigView(View, frozen=True, kw_only=True):
    """A named run configuration of devenv.yaml, or a script found without one."""

    name: str
    command: str  # one line for people
    kind: str  # script | module | command
    found: bool = False  # not declared, found in the project
    run: str | None = None  # id of its live run


class PortView(View, frozen=True, kw_only=True):
    port: int  # in the container
    host_port: int | None  # on host loopback; None: not forwarded
    host: str = "127.0.0.1"
    container_host: str = "127.0.0.1"
    label: str = ""
    source: str = "detected"  # configured | detected | service | debug | published | direct
    protocol: str = "tcp"  # tcp | http | https | dap
    process: str = ""  # command line of what listens, "" when nothing does
    pid: int | None = None
    listening: bool = False
    url: str = ""  # without secrets
    secret_url: str = ""  # with the token, for copy and open; never printed in lists
    note: str = ""  # e.g. "8888 is taken by sshd (pid 12, root)"
    tier: str = ""
    connections: int = 0
    auto_forward: str = "notify"  # notify | openBrowser | openBrowserOnce | openPreview | silent | ignore
    since: float | None = None  # when something was seen to begin to listen; None: earlier than anybody looked


class ServiceView(View, frozen=True, kw_only=True):
    name: str
    kind: str  # jupyter | tensorboard | command
    state: str  # stopped | starting | running | failed | missing
    declared: bool = True
    run: str | None = None
    port: int | None = None
    url: str = ""
    secret_url: str = ""
    reason: str = ""


class TestView(View, frozen=True, kw_only=True):
    id: str  # pytest node id
    outcome: str  # running | passed | failed | skipped | error | xfailed | xpassed
    seconds: float = 0.0
    message: str = ""
    file: str = ""  # host path
    line: int = 0


class TestsView(View, frozen=True, kw_only=True):
    run: str | None = None
    state: str = "idle"  # idle | collecting | running | watching
    collected: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    watching: bool = False
    tests: list[TestView] = []


class DebugView(View, frozen=True, kw_only=True):
    host: str
    port: int
    run: str | None = None
    waiting: bool = False
    attached: bool = False
    note: str = ""


class DebugSessionView(View, frozen=True, kw_only=True):
    """`state`: waiting (for its first debugger), running, attached, stopped (a debugger is there and looks) or left (it
    stands where a debugger that vanished left it, `at`). `port` is its own on this machine, `chosen` tells that the
    environment's debug port leads to it."""

    name: str
    run: str
    pid: int | None = None
    port: int | None = None
    state: str = "running"
    at: str = ""
    chosen: bool = False
    silent_children: int = 0  # child processes that no debugger claimed


class UsageView(View, frozen=True, kw_only=True):
    cpu_percent: float = 0.0  # of one core
    cpus: float = 0.0
    memory: int = 0
    memory_limit: int | None = None
    oom_kills: int = 0


class EnvironmentView(View, frozen=True, kw_only=True):
    key: str
    name: str
    local_folder: str
    config_file: str
    status: EnvStatus
    container: str = ""  # name
    container_id: str = ""
    image: str = ""
    started: float | None = None
    remote_user: str = ""
    workspace_folder: str = ""
    python: str = ""
    python_version: str = ""
    engine: str = ""
    tier: str = ""
    tier_reason: str = ""
    adopted: bool = False
    owner: str = ""  # "" ours
    usage: UsageView = UsageView()
    drift: list[DriftView] = []
    notes: list[str] = []
    pending: list[str] = []  # lifecycle commands that still run, and that nobody waits for
    shutdown_action: str = ""  # none | stopContainer | stopCompose; "": the configuration does not say
    others: list[str] = []  # further configuration files of this folder
    host: str = ""  # the machine of its engine, as it is called; "" for this one
    round_trip: float | None = None  # seconds to that machine and back, when last measured


class HostView(View, frozen=True, kw_only=True):
    """A machine with an engine: of the person's book, or one on which an environment is remembered."""

    name: str
    address: str
    kind: str  # local | ssh | tcp | context
    default: bool = False  # where new environments are made
    known: bool = True  # in the book
    reachable: bool = False
    round_trip: float | None = None  # seconds
    engine: str = ""  # version
    environments: list[str] = []
    problem: str = ""  # why it cannot be reached
    hint: str = ""


class HostCheckView(View, frozen=True, kw_only=True):
    """One thing that was looked at on a host."""

    what: str
    ok: bool
    said: str
    hint: str = ""


class ConfigurationView(View, frozen=True, kw_only=True):
    """One devcontainer.json of a project folder, and what there is of it."""

    config: str  # what `--config` takes
    file: str
    name: str = ""
    kind: str = ""  # image | dockerfile | compose; "" when the file cannot be read
    made_from: str = ""  # the image, the Dockerfile, or the Compose files and the service
    default: bool = False  # used when no other one is asked for
    remembered: bool = False  # chosen last by a person, in a folder without a default
    status: EnvStatus = EnvStatus.ABSENT
    container: str = ""  # name
    problem: str = ""  # why it cannot be used


class ProgressView(View, frozen=True, kw_only=True):
    key: str
    title: str = ""
    fraction: float | None = None
    detail: str = ""
    done: bool = False
    ok: bool = True


class OperationView(View, frozen=True, kw_only=True):
    """Long work on the environment, whoever asked for it."""

    verb: str  # up | start | rebuild | hooks (lifecycle commands that nobody waits for)
    started: float
    running: bool
    steps: list[ProgressView] = []  # one for each step, as it is now
    log: list[str] = []  # the newest lines
    error: str = ""
    hint: str = ""


class ConflictView(View, frozen=True, kw_only=True):
    """A path that both sides have changed, or that one of them cannot give. What a terminal would obey, and what is no
    UTF-8, is written as an escape in it; that is also the name by which it is resolved."""

    path: str
    why: str
    host: str = ""  # absent | file | folder | link | unreadable
    container: str = ""
    host_size: int | None = None  # bytes; None where nobody looked, or nothing is there
    host_time: float | None = None  # when it was written, by that side's clock
    container_size: int | None = None
    container_time: float | None = None


class LargeFileView(View, frozen=True, kw_only=True):
    """A file that is larger than `sync.max-file`, or than its output may be."""

    path: str
    side: str  # host | container
    size: int  # bytes


class SyncView(View, frozen=True, kw_only=True):
    """The project's files where they are copied into a volume and kept the same."""

    state: str  # starting | working | in step | offline | paused | halted
    why: str = ""
    host: str = ""
    container: str = ""
    files: int = 0
    conflicts: list[ConflictView] = []
    failures: list[str] = []
    problems: list[str] = []  # of the files that hold rules
    large: list[LargeFileView] = []  # what stays where it is because of its size; of `devenv sync status`
    to_container: int = 0  # changes made there since the supervisor began
    to_host: int = 0
    last: float = 0.0  # when something was changed


class Snapshot(View, frozen=True, kw_only=True):
    """All that a screen of one environment shows."""

    environment: EnvironmentView
    configs: list[RunConfigView] = []
    runs: list[RunView] = []
    services: list[ServiceView] = []
    ports: list[PortView] = []
    tests: TestsView = TestsView()
    debug: DebugView | None = None
    operation: OperationView | None = None
    sync: SyncView | None = None  # None: the files are mounted, or none are there


class OutputChunk(View, frozen=True, kw_only=True):
    """A slice of a run's output, pulled by the viewport."""

    start: int
    end: int
    size: int
    data: bytes  # base64 on the wire
    marks: list[tuple[int, int]] = []
    gap: tuple[int, int] | None = None
