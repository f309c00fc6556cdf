"""The place that holds containers, as the rest of devenv sees it. No Docker type may appear here.

Concurrency: every call may overlap with every other. An error raised by one call says nothing about later calls,
except `EngineMissing`: the engine does not answer at the moment (it may come back).
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import IO, Any, Protocol, TypeVar

from devenv.errors import EngineError

T = TypeVar("T")

LOCAL_BUILDER = "default"
"""The engine's own: the only one that sees the engine's images."""


class NameInUse(EngineError):
    """`create` lost the race for a container name. Always handled: the loser uses the winner's container."""


@dataclasses.dataclass(frozen=True, slots=True)
class HostLimits:
    """What the processes of an engine may give. `hard` by name (nofile, nproc, memlock, stack), -1 for no limit."""

    may_raise: bool = True
    hard: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class EngineInfo:
    version: str
    api_version: str
    os: str  # "linux"
    name: str  # engine's host name
    endpoint: str  # unix:///var/run/docker.sock, tcp://..., ssh://...
    live_restore: bool
    rootless: bool
    userns_remap: bool
    security_options: tuple[str, ...]
    runtimes: tuple[str, ...]
    has_buildx: bool
    has_compose: bool
    cpus: int
    memory: int  # bytes
    raw: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False, compare=False)
    remote: bool = False  # the address is a socket of this machine that leads to another one
    limits: HostLimits | None = None  # of an engine elsewhere, where somebody could look

    @property
    def is_podman(self) -> bool:
        """Podman behind its Docker-compatible socket: it says which Buildah it builds with."""
        return "BuildahVersion" in self.raw

    @property
    def has_buildkit(self) -> bool:
        """Whether builds go through BuildKit. Podman builds with Buildah, whatever plugins the command has."""
        return self.has_buildx and not self.is_podman

    @property
    def is_local_socket(self) -> bool:
        return self.endpoint.startswith("unix://") and not self.remote


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerSnapshot:
    """What `inspect` says, reduced to what devenv uses. `raw` is the engine's own object, for drift and metadata."""

    id: str
    name: str
    image: str  # reference as given at creation
    image_id: str
    status: str  # created | running | paused | restarting | removing | exited | dead
    created: str  # RFC 3339, as the engine writes it (the lifecycle markers need these bytes)
    started_at: str
    finished_at: str
    exit_code: int
    oom_killed: bool
    labels: Mapping[str, str]
    env: Mapping[str, str]
    user: str
    working_dir: str
    network_mode: str
    mounts: tuple[Mapping[str, Any], ...]
    pid: int
    raw: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)

    @property
    def running(self) -> bool:
        return self.status in ("running", "paused")


@dataclasses.dataclass(frozen=True, slots=True)
class ImageSnapshot:
    id: str
    tags: tuple[str, ...]
    env: Mapping[str, str]
    user: str
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    labels: Mapping[str, str]
    architecture: str
    size: int
    raw: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class ExecResult:
    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class EngineEvent:
    type: str  # container | image | ... | "engine" (action "lost" / "back", made by the adapter)
    action: str  # start | die | stop | destroy | pause | unpause | oom | rename ...
    id: str
    attributes: Mapping[str, str]


class Progress(Protocol):
    """Where long work tells how far it is. Thread-safe; never raises; never blocks."""

    def step(self, key: str, title: str) -> None: ...
    def update(self, key: str, *, fraction: float | None = None, detail: str = "") -> None: ...
    def line(self, key: str, text: str, stream: str = "stdout") -> None: ...
    def done(self, key: str, *, ok: bool = True, detail: str = "") -> None: ...
    def note(self, text: str, *, level: str = "info") -> None:
        """A sentence the user should read once (level: info | warning)."""


class ExecStream(Protocol):
    """A hijacked exec: full duplex, half-close is NOT available (moby#38457); EOF is the protocol's business."""

    exec_id: str

    async def write(self, data: bytes) -> None: ...
    async def read(self) -> tuple[int, bytes] | None:
        """(1 stdout | 2 stderr, bytes), None at the end. With a tty everything is stream 1."""

    async def exit_code(self) -> int | None: ...
    async def resize(self, rows: int, columns: int) -> None: ...
    async def close(self) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class BuildRequest:
    context: str  # host folder
    dockerfile: str  # host path
    tags: tuple[str, ...]
    args: Mapping[str, str] = dataclasses.field(default_factory=dict)
    target: str | None = None
    cache_from: tuple[str, ...] = ()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    options: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    secret_args: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Build arguments whose values go through the builder's environment, not its argument list."""
    cache_to: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    push: bool = False  # to the registry that each tag names, instead of into the engine
    output: str = ""  # a Buildx output specification, instead of into the engine
    builder: str = ""  # of Buildx; "" is the one that the user has chosen
    contexts: Mapping[str, str] = dataclasses.field(default_factory=dict)  # named build contexts: name to host folder
    masked: tuple[str, ...] = dataclasses.field(default=(), repr=False)  # texts that no log may show
    classic: bool = False  # without BuildKit, although it is there
    base_is_local: bool = False  # the engine has every image that the build starts from: no registry is asked
    log_path: str = ""  # host file that keeps the whole output
    append_log: bool = False  # to what an earlier build of the same `up` has written

    @property
    def into_engine(self) -> bool:
        """Whether the engine has the image afterwards."""
        return not self.push and not self.output


class Engine(Protocol):
    async def info(self) -> EngineInfo: ...
    async def find(self, labels: Mapping[str, str | None]) -> list[ContainerSnapshot]:
        """Containers in any state that carry all labels (None: any value)."""

    async def inspect(self, container: str) -> ContainerSnapshot | None: ...
    async def image(self, reference: str) -> ImageSnapshot | None: ...
    async def pull(self, reference: str, progress: Progress) -> ImageSnapshot: ...
    async def build(self, request: BuildRequest, progress: Progress) -> ImageSnapshot | None:
        """None when the request sends the result elsewhere (`into_engine`). Raises `BuildFailed`."""

    async def tag(self, image: str, reference: str) -> None: ...
    async def images(self) -> list[str]:
        """Ids of all of its images."""

    async def save_image(self, reference: str, take: Callable[[IO[bytes]], T]) -> T:
        """`take` reads the image's archive (`devenv.engine.image_tar`), in a thread. Raises what `take` raises."""

    async def load_image(self, reference: str, body: Iterator[bytes], size: int) -> None:
        """Puts the image of an archive of `size` bytes into the engine; `body` is read in threads, and what it raises
        is raised.

        An engine that loses the connection keeps nothing of it. Raises `EngineError` with its words.
        """

    async def compose(
        self,
        args: Sequence[str],
        *,
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        take: Callable[[str], None] | None = None,
        take_output: Callable[[str], None] | None = None,
    ) -> ExecResult:
        """`docker compose` with these words; `take` gets each line of its stderr as it comes, `take_output` of its
        stdout.

        `env` are further variables for interpolation. Cancelled: the command is ended first. Raises `EngineError`
        when there is no Compose.
        """

    async def create(self, args: Sequence[str], *, env: Mapping[str, str] | None = None) -> str:
        """`docker create` with exactly these arguments; returns the id. The name decides who wins a race.

        `env` holds the values of `-e NAME` arguments without a value: they reach the container, but no argument list.
        Raises `NameInUse` when a container with the `--name` exists, else `EngineError`. No image is pulled here
        when the arguments say `--pull never`.
        """

    async def start(self, container: str) -> None: ...
    async def stop(self, container: str, *, timeout: int = 10) -> None: ...
    async def unpause(self, container: str) -> None: ...
    async def remove(self, container: str, *, force: bool = False, volumes: bool = False) -> None: ...
    async def remove_volume(self, name: str) -> bool: ...
    async def remove_image(self, reference: str) -> bool: ...
    async def logs(self, container: str, *, tail_lines: int | None = None) -> bytes: ...
    async def diff(self, container: str) -> list[tuple[str, str]]:
        """(kind C|A|D, path) of the writable layer."""

    async def exec_capture(
        self,
        container: str,
        argv: Sequence[str],
        *,
        user: str = "",
        env: Mapping[str, str] | None = None,
        workdir: str = "",
        timeout: float = 60.0,
    ) -> ExecResult: ...
    async def exec_stream(
        self,
        container: str,
        argv: Sequence[str],
        *,
        user: str = "",
        env: Mapping[str, str] | None = None,
        workdir: str = "",
        tty: bool = False,
        stdin: bool = True,
        privileged: bool = False,
    ) -> ExecStream:
        """`privileged`: with every capability, whatever the container has. Never unasked for a program that the
        container can change, or that loads its libraries: it would have these rights on the host."""

    async def check_health(self, container: str) -> None:
        """Runs the container's health check once and counts its result, where the engine may leave that to others
        (Podman); elsewhere nothing happens."""

    async def own_ids(self, container: str) -> tuple[int, int]:
        """(uid, gid) that the user of a rootless engine has in the container: root's, or with Podman's `keep-id` his
        own or others."""

    async def get_archive(self, container: str, path: str) -> bytes | None: ...
    async def put_archive(self, container: str, path: str, tar: bytes) -> None: ...
    def events(self) -> AsyncIterator[EngineEvent]:
        """Never ends by itself: after a lost engine it reconnects and says so with an `engine` event."""

    async def close(self) -> None: ...
