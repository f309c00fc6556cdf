"""What the screen of one environment is about, as one frozen value, and the events that change it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from devenv.api.views import EnvStatus, ProgressView, RunView, ServiceView, Snapshot


class Pane(enum.StrEnum):
    """The parts of the screen. In a small terminal each is a tab."""

    RUNS = "runs"
    OUTPUT = "output"
    TESTS = "tests"
    PORTS = "ports"
    BUILD = "build"

    @property
    def heading(self) -> str:
        return {
            "runs": "Runs",
            "output": "Output",
            "tests": "Tests",
            "ports": "Services & ports",
            "build": "Build log",
        }[self.value]

    @property
    def short(self) -> str:
        return {"ports": "Ports", "build": "Build"}.get(self.value, self.heading)


Opening = tuple[int, str, float]  # port, host in the container, when something began to listen
SIDE = (Pane.TESTS, Pane.PORTS, Pane.BUILD)
WIDE_COLUMNS = 120
WIDE_LINES = 24


class Link(enum.StrEnum):
    """How the front end stands with the supervisor."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"
    ASKING = "asking"  # the folder has several configurations, and none is chosen


@dataclass(frozen=True)
class Step:
    """A step of bringing the environment up."""

    key: str
    title: str
    detail: str
    fraction: float | None
    started: float
    ended: float | None = None
    ok: bool = True


@dataclass(frozen=True)
class Operation:
    """Long work: up, rebuild or start, and the lifecycle commands that run behind the scenes after them."""

    title: str
    started: float
    steps: tuple[Step, ...] = ()
    log: tuple[str, ...] = ()
    ended: float | None = None
    error: str = ""
    hint: str = ""
    foreign: bool = False  # another client asked for it; the supervisor tells how far it is
    behind: bool = False  # nobody waits for it: the environment can be used meanwhile

    @property
    def running(self) -> bool:
        return self.ended is None


@dataclass(frozen=True)
class State:
    link: Link = Link.CONNECTING
    link_message: str = ""
    link_hint: str = ""
    snapshot: Snapshot | None = None
    now: float = 0.0
    columns: int = 80
    lines: int = 24
    tab: Pane = Pane.RUNS  # the tab of a small screen
    side: Pane = Pane.TESTS  # the right column of a large one
    focus: Pane = Pane.RUNS  # where the keyboard is
    config: str = ""  # the run configuration under the cursor
    test: str = ""  # the row of the tests under the cursor: `test:<id>` or `file:<path>`
    port: str = ""  # the row of services and ports under the cursor: `service:<name>` or `port:<number>`
    selected: str | None = None  # the run whose output is shown
    awaited: str | None = None  # a run that was started here and is not in a snapshot yet
    input_mode: bool = False
    operation: Operation | None = None
    cpu: tuple[float, ...] = ()
    memory: tuple[float, ...] = ()
    opened: frozenset[str] = frozenset()  # test files whose default folding was turned round
    openings: frozenset[Opening] | None = None  # starts of servers that were seen; None before the first look

    @property
    def wide(self) -> bool:
        return self.columns >= WIDE_COLUMNS and self.lines >= WIDE_LINES

    @property
    def status(self) -> EnvStatus | None:
        return None if self.snapshot is None else self.snapshot.environment.status

    @property
    def up(self) -> bool:
        return self.status is EnvStatus.RUNNING

    @property
    def working(self) -> bool:
        return self.operation is not None and self.operation.running

    @property
    def busy(self) -> bool:
        """Whether nothing else can be done to the environment."""
        return self.operation is not None and self.operation.running and not self.operation.behind

    @property
    def failed_behind(self) -> bool:
        """Whether lifecycle commands failed that nobody waited for."""
        return self.operation is not None and self.operation.behind and bool(self.operation.error)

    @property
    def runs(self) -> tuple[RunView, ...]:
        """Newest first, services left out (they stand under Services)."""
        if self.snapshot is None:
            return ()
        runs = [run for run in self.snapshot.runs if run.kind != "service"]
        return tuple(sorted(runs, key=lambda run: (run.started, run.id), reverse=True))

    @property
    def live_runs(self) -> tuple[RunView, ...]:
        return tuple(run for run in self.snapshot.runs if run.state.live) if self.snapshot else ()

    def run(self, id: str | None) -> RunView | None:
        if self.snapshot is None or id is None:
            return None
        return next((run for run in self.snapshot.runs if run.id == id), None)

    def service(self, name: str) -> ServiceView | None:
        if self.snapshot is None:
            return None
        return next((service for service in self.snapshot.services if service.name == name), None)

    def shows(self, pane: Pane) -> bool:
        """Whether the pane stands on the screen now."""
        if not self.wide:
            return self.tab is pane
        return pane not in SIDE or self.side is pane


@dataclass(frozen=True)
class Arrived:
    """A snapshot came."""

    snapshot: Snapshot
    now: float


@dataclass(frozen=True)
class Lost:
    """The supervisor does not answer."""

    message: str
    hint: str


@dataclass(frozen=True)
class Asked:
    """Which configuration of the folder is meant?"""


@dataclass(frozen=True)
class Switched:
    """To another configuration of the folder: nothing that is known holds for it."""


@dataclass(frozen=True)
class Ticked:
    now: float


@dataclass(frozen=True)
class Resized:
    columns: int
    lines: int


@dataclass(frozen=True)
class Chosen:
    """A run was chosen; `started`: it was started here and may not be in a snapshot yet."""

    run: str
    started: bool = False


@dataclass(frozen=True)
class Turned:
    """To another pane."""

    pane: Pane


@dataclass(frozen=True)
class Focused:
    """The keyboard went to a pane."""

    pane: Pane


@dataclass(frozen=True)
class Pointed:
    """The cursor of a list stands on another row; "" when it stands on none."""

    where: str  # config | test | port
    key: str


@dataclass(frozen=True)
class Folded:
    """A test file is opened or closed."""

    file: str


@dataclass(frozen=True)
class Typing:
    on: bool


@dataclass(frozen=True)
class Began:
    title: str
    now: float


@dataclass(frozen=True)
class Progressed:
    item: ProgressView | str
    now: float


@dataclass(frozen=True)
class Finished:
    now: float
    error: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Dismissed:
    """The report of an operation was read."""


Event = (
    Arrived
    | Lost
    | Asked
    | Switched
    | Ticked
    | Resized
    | Chosen
    | Turned
    | Focused
    | Pointed
    | Folded
    | Typing
    | Began
    | Progressed
    | Finished
    | Dismissed
)
