"""What front ends ask of profiling, and what they get: stacks of running programs, profiles and their comparison.

Texts that a container chose (names of functions, files, threads) come without control characters.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from devenv.api.messages import Args
from devenv.api.views import View


class StackArgs(Args, frozen=True, kw_only=True):
    """`target`: a run's id, the beginning of one, its name, or a process id; "" is the newest live run."""

    target: str = ""
    native: bool = False
    variables: bool = False  # the local ones of each frame, too


class FrameView(View, frozen=True, kw_only=True):
    name: str
    file: str  # as the container names it
    line: int = 0  # 0: not known
    host: str = ""  # the same file on the host; "" for a file that is not the project's
    own: bool = False  # the project's code, not a library that lies in its folder
    short: str = ""  # the file as people know it: below its library folder
    values: list[tuple[str, str]] = []  # local variables and their texts, where they were asked for


class ThreadView(View, frozen=True, kw_only=True):
    pid: int
    id: int  # the kernel's number of the thread; 0 when it is not known
    name: str
    active: bool = False  # runs, or could run: waits for no lock, no file and no child
    gil: bool = False  # holds the interpreter's lock


class ProcessView(View, frozen=True, kw_only=True):
    pid: int
    parent: int
    label: str  # what it is for people: rank 3, DataLoader worker of rank 3, train.py
    command: str  # the beginning of its command line
    uid: int
    state: str  # the kernel's letter: R, S, D (in a system call that cannot be interrupted), T (stopped), Z
    threads: int  # all of them, those without Python too
    python: bool
    problem: str = ""  # why there are no stacks of it
    hint: str = ""


class StackView(View, frozen=True, kw_only=True):
    """One stack, innermost frame first, and every thread that stands exactly there."""

    threads: list[ThreadView]
    frames: list[FrameView]


class StacksView(View, frozen=True, kw_only=True):
    """Where every thread of every process stands; main threads first, then by the number of threads."""

    name: str
    run: str | None
    processes: list[ProcessView]
    stacks: list[StackView]
    time: float


class ProfileArgs(Args, frozen=True, kw_only=True):
    """`target` as in `StackArgs`, or a script or run configuration to start. `seconds`: None is the kind's default, 0
    means to the end of the program. `name`, `env`, `tty`, `detach` are for a script."""

    kind: str = "cpu"  # cpu | memory | gpu | trace
    target: str = ""
    args: list[str] = []
    seconds: float | None = None
    rate: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100  # samples in a second
    native: bool = False
    idle: bool = False
    gil: bool = False
    nonblocking: bool = False
    new: bool = False  # start the target, although a run of its name is alive
    lines: bool = False  # rows by line
    top: int = 20
    name: str = ""
    env: dict[str, str] = {}
    tty: bool = False
    detach: bool = False


class ProfilesArgs(Args, frozen=True, kw_only=True):
    """What was recorded. `profiles`: for `show` one, for `compare` two: an id, its end, a run's name, or "last"."""

    action: str = "list"  # list | show | compare | fetch
    profiles: list[str] = []
    lines: bool = False
    top: int = 20


class ProfileView(View, frozen=True, kw_only=True):
    """One recording, as it lies on the host. Paths are the host's; "" where there is no such file."""

    id: str
    kind: str  # cpu | memory | gpu | trace
    name: str
    run: str | None
    started: float
    seconds: float
    unit: str  # seconds | bytes
    total: float  # in `unit`
    count: int  # samples, allocations or calls
    processes: int = 1
    whole: bool = False  # from the start of a program to its end
    page: str = ""  # a flame graph
    speedscope: str = ""
    trace: str = ""  # for Perfetto or chrome://tracing
    notes: list[str] = []


class RowView(View, frozen=True, kw_only=True):
    """A function, or a line: its share of the whole, itself and with all that it called (0 to 1)."""

    frame: FrameView
    own: float
    total: float
    source: str = ""  # the line's text, of a file of the project


class ProfileResult(View, frozen=True, kw_only=True):
    """`rows` by what each spent itself; `project`: the project's own, by all that they caused."""

    profile: ProfileView
    rows: list[RowView]
    project: list[RowView] = []


class ChangeView(View, frozen=True, kw_only=True):
    """A function of two profiles: (before, after), in the comparison's unit."""

    frame: FrameView
    own: tuple[float, float]
    total: tuple[float, float]


class ComparisonView(View, frozen=True, kw_only=True):
    before: ProfileView
    after: ProfileView
    unit: str  # seconds | bytes | rate: seconds in each second of the recording
    total: tuple[float, float]
    rows: list[ChangeView]
    page: str
