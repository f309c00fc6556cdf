"""An engine in memory, for tests of everything above it. Passes the same contract tests as the Docker adapter.

Containers have a state, labels, files and mounts; nothing runs. What a command does is said by `on_exec`; without it a
few programs are known (`true`, `false`, `echo`, `sh -c "exit N"`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import io
import itertools
import posixpath
import re
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import IO, Any, TypeVar

from devenv.engine import fake_create, fake_images, snapshots
from devenv.engine.port import (
    BuildRequest,
    ContainerSnapshot,
    EngineEvent,
    EngineInfo,
    ExecResult,
    ImageSnapshot,
    NameInUse,
    Progress,
)
from devenv.errors import BuildFailed, ContainerGone, EngineError, ImageMissing

T = TypeVar("T")

OnExec = Callable[[str, list[str], str, Mapping[str, str], str], ExecResult]
"""(container id, argv, user, environment, working folder) -> result."""

_DEFAULTS: Mapping[str, Any] = {
    "ServerVersion": "26.1.5",
    "OSType": "linux",
    "Name": "fake",
    "LiveRestoreEnabled": True,
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "Runtimes": {"runc": {}},
    "NCPU": 4,
    "MemTotal": 16 * 1024**3,
}


@dataclasses.dataclass
class FakeFile:
    """A file or (content None) a folder."""

    content: bytes | None
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


class FakeEngine:
    """`images` maps references to the `Config` object of an image; `files` are in every container at first.

    `calls` lists (method, first argument) of everything asked, so that tests can count.
    """

    def __init__(
        self,
        images: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        files: Mapping[str, FakeFile] | None = None,
        info: Mapping[str, Any] | None = None,
        registry: Mapping[str, Mapping[str, Any]] | None = None,
        on_exec: OnExec | None = None,
        endpoint: str = "unix:///fake.sock",
    ) -> None:
        self.calls: list[tuple[str, str]] = []
        self.created_env: list[Mapping[str, str]] = []
        self.builds: list[BuildRequest] = []
        self.fail_build: tuple[str, list[str]] | None = None
        self.fail_start: EngineError | None = None
        self.on_exec = on_exec
        self.on_compose: Callable[[list[str]], ExecResult] | None = None
        self.mapped = (0, 0)  # what `own_ids` says
        self._info = {**_DEFAULTS, **(info or {})}
        self._endpoint = endpoint
        self._images = {ref: self._new_image(ref, config) for ref, config in (images or {}).items()}
        self._registry = dict(registry or {})
        self._files = dict(files or {})
        self._containers: dict[str, dict[str, Any]] = {}
        self._rootfs: dict[str, dict[str, FakeFile]] = {}
        self._logs: dict[str, bytes] = {}
        self._volumes: set[str] = set()
        self._watchers: set[asyncio.Queue[EngineEvent | None]] = set()
        self._ticks = itertools.count(1)

    # --- what tests do from outside ---

    def set_image(self, reference: str, config: Mapping[str, Any]) -> None:
        """A new image under this name."""
        self._images[reference] = self._new_image(reference, config)

    def files(self, container: str) -> dict[str, FakeFile]:
        return self._rootfs[self._raw(container)["Id"]]

    def tell(self, event: EngineEvent) -> None:
        for queue in self._watchers:
            queue.put_nowait(event)

    def set_state(self, container: str, status: str, exit_code: int = 0) -> None:
        """As if someone else had stopped, paused or killed it."""
        self._raw(container)["State"].update(Status=status, ExitCode=exit_code)

    def print(self, container: str, output: bytes) -> None:
        """As if the container's first process had printed this."""
        identity = self._raw(container)["Id"]
        self._logs[identity] = self._logs.get(identity, b"") + output

    @property
    def volumes(self) -> frozenset[str]:
        return frozenset(self._volumes)

    # --- the port ---

    async def info(self) -> EngineInfo:
        self._call("info", "")
        return snapshots.info(
            self._info,
            endpoint=self._endpoint,
            api_version="1.45",
            has_buildx=True,
            has_compose=self.on_compose is not None,
        )

    async def find(self, labels: Mapping[str, str | None]) -> list[ContainerSnapshot]:
        self._call("find", ",".join(labels))
        return [
            snapshots.container(raw)
            for raw in self._containers.values()
            if all(
                name in raw["Config"]["Labels"] and value in (None, raw["Config"]["Labels"][name])
                for name, value in labels.items()
            )
        ]

    async def inspect(self, container: str) -> ContainerSnapshot | None:
        self._call("inspect", container)
        raw = self._lookup(container)
        return snapshots.container(raw) if raw is not None else None

    async def image(self, reference: str) -> ImageSnapshot | None:
        self._call("image", reference)
        raw = self._find_image(reference)
        return snapshots.image(raw) if raw is not None else None

    async def pull(self, reference: str, progress: Progress) -> ImageSnapshot:
        self._call("pull", reference)
        progress.step(f"pull:{reference}", f"Pulling {reference}")
        if reference not in self._registry:
            progress.done(f"pull:{reference}", ok=False)
            raise ImageMissing(f"image {reference} is not here and cannot be pulled", "check its name")
        self.set_image(reference, self._registry[reference])
        progress.done(f"pull:{reference}")
        return snapshots.image(self._images[reference])

    async def build(self, request: BuildRequest, progress: Progress) -> ImageSnapshot | None:
        self._call("build", request.dockerfile)
        self.builds.append(request)
        if self.fail_build is not None:
            step, lines = self.fail_build
            raise BuildFailed(f"the image build failed at step {step}", details={"step": step, "lines": lines})
        if not request.into_engine:
            return None
        for tag in request.tags:
            self._images[tag] = self._new_image(tag, {"Labels": dict(request.labels)})
        return snapshots.image(self._images[request.tags[0]])

    async def tag(self, image: str, reference: str) -> None:
        self._call("tag", reference)
        found = self._find_image(image)
        if found is None:
            raise ImageMissing(f"cannot tag {reference}: no such image: {image}", "check the image's name")
        self._images[reference] = found

    async def images(self) -> list[str]:
        return [raw["Id"] for raw in self._images.values()]

    async def save_image(self, reference: str, take: Callable[[IO[bytes]], T]) -> T:
        self._call("save_image", reference)
        found = self._find_image(reference)
        if found is None:
            raise ImageMissing(f"cannot read image {reference}: no such image", "check the image's name")
        return await asyncio.to_thread(take, fake_images.archive(found, reference))

    async def load_image(self, reference: str, body: Iterator[bytes], size: int) -> None:
        self._call("load_image", reference)
        for name, raw in await asyncio.to_thread(fake_images.read, body):
            self._images[name] = raw

    async def compose(
        self,
        args: Sequence[str],
        *,
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        take: Callable[[str], None] | None = None,
        take_output: Callable[[str], None] | None = None,
    ) -> ExecResult:
        self._call("compose", " ".join(args))
        if self.on_compose is None:
            raise EngineError("this `docker` command has no Compose", "install Compose 2")
        return self.on_compose(list(args))

    async def create(self, args: Sequence[str], *, env: Mapping[str, str] | None = None) -> str:
        self._call("create", " ".join(args))
        asked = fake_create.parse(args)
        name = asked.name or f"fake_{next(self._ticks)}"
        await asyncio.sleep(0)  # others get their turn, as with a real engine
        if any(raw["Name"] == f"/{name}" for raw in self._containers.values()):
            raise NameInUse(f"a container named {name} exists already", details={"name": name})
        image = self._find_image(asked.image)
        if image is None:
            raise EngineError(f"the container cannot be created: no such image: {asked.image}")
        self.created_env.append(dict(env or {}))
        identity = f"{next(self._ticks):064x}"
        config = image["Config"]
        values = {**snapshots.environment(config.get("Env")), **asked.resolved(env or {})}
        for mount in asked.mounts:
            if mount["Type"] == "volume":
                self._volumes.add(mount["Name"])
        self._containers[identity] = {
            "Id": identity,
            "Name": f"/{name}",
            "Created": self._now(),
            "Image": image["Id"],
            "State": {"Status": "created", "Pid": 0, "StartedAt": "0001-01-01T00:00:00Z", "ExitCode": 0},
            "Config": {
                "Image": asked.image,
                "Labels": {**(config.get("Labels") or {}), **asked.labels},
                "Env": [f"{k}={v}" for k, v in values.items()],
                "User": asked.user or config.get("User") or "",
                "WorkingDir": config.get("WorkingDir") or "",
            },
            "HostConfig": {
                "NetworkMode": asked.network or "bridge",
                "Init": asked.has("--init"),
                "Privileged": asked.has("--privileged"),
                "ReadonlyRootfs": asked.has("--read-only"),
                "ShmSize": 64 * 1024**2,
                "CapAdd": asked.values("--cap-add"),
            },
            "Mounts": asked.mounts,
        }
        self._rootfs[identity] = {path: dataclasses.replace(file) for path, file in self._files.items()}
        self._tell("create", identity)
        return identity

    async def start(self, container: str) -> None:
        self._call("start", container)
        raw = self._raw(container)
        if self.fail_start is not None:
            raise self.fail_start
        if raw["State"]["Status"] != "running":
            raw["State"].update(Status="running", Pid=1000 + next(self._ticks), StartedAt=self._now(), ExitCode=0)
            self._tell("start", raw["Id"])

    async def stop(self, container: str, *, timeout: int = 10) -> None:
        self._call("stop", container)
        raw = self._raw(container)
        if raw["State"]["Status"] in ("running", "paused"):
            raw["State"].update(Status="exited", Pid=0, FinishedAt=self._now())
            self._tell("die", raw["Id"])
            self._tell("stop", raw["Id"])

    async def unpause(self, container: str) -> None:
        self._call("unpause", container)
        raw = self._raw(container)
        if raw["State"]["Status"] != "paused":
            raise EngineError(f"cannot unpause container {container}: it is not paused")
        raw["State"]["Status"] = "running"
        self._tell("unpause", raw["Id"])

    async def remove(self, container: str, *, force: bool = False, volumes: bool = False) -> None:
        self._call("remove", container)
        raw = self._lookup(container)
        if raw is None:
            return
        if raw["State"]["Status"] == "running" and not force:
            raise EngineError(f"cannot remove container {container}: it is running")
        self._tell("destroy", raw["Id"])
        del self._containers[raw["Id"]], self._rootfs[raw["Id"]]

    async def remove_volume(self, name: str) -> bool:
        self._call("remove_volume", name)
        if name not in self._volumes:
            return False
        self._volumes.discard(name)
        return True

    async def remove_image(self, reference: str) -> bool:
        self._call("remove_image", reference)
        return self._images.pop(_normal(reference, self._images), None) is not None

    async def diff(self, container: str) -> list[tuple[str, str]]:
        identity = self._raw(container)["Id"]
        return [("A", path) for path in sorted(self._rootfs[identity]) if path not in self._files]

    async def logs(self, container: str, *, tail_lines: int | None = None) -> bytes:
        self._call("logs", container)
        lines = self._logs.get(self._raw(container)["Id"], b"").splitlines(keepends=True)
        return b"".join(lines if tail_lines is None else lines[max(0, len(lines) - tail_lines) :])

    async def exec_capture(
        self,
        container: str,
        argv: Sequence[str],
        *,
        user: str = "",
        env: Mapping[str, str] | None = None,
        workdir: str = "",
        timeout: float = 60.0,
    ) -> ExecResult:
        self._call("exec", " ".join(argv))
        raw = self._raw(container)
        if raw["State"]["Status"] != "running":
            raise ContainerGone(f"container {container[:12]} is not running", "run `devenv start`")
        if self.on_exec is not None:
            return self.on_exec(raw["Id"], list(argv), user, env or {}, workdir)
        return _builtin(argv)

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
    ) -> FakeExecStream:
        return FakeExecStream(await self.exec_capture(container, argv, user=user, env=env, workdir=workdir))

    async def check_health(self, container: str) -> None:
        self._call("check_health", container)

    async def own_ids(self, container: str) -> tuple[int, int]:
        return self.mapped

    async def get_archive(self, container: str, path: str) -> bytes | None:
        self._call("get_archive", path)
        file = self._rootfs[self._raw(container)["Id"]].get(path)
        if file is None:
            return None
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            entry = tarfile.TarInfo(posixpath.basename(path))
            entry.mode, entry.uid, entry.gid = file.mode, file.uid, file.gid
            entry.size = len(file.content or b"")
            entry.type = tarfile.DIRTYPE if file.content is None else tarfile.REGTYPE
            tar.addfile(entry, io.BytesIO(file.content or b""))
        return buffer.getvalue()

    async def put_archive(self, container: str, path: str, tar: bytes) -> None:
        self._call("put_archive", path)
        raw = self._raw(container)
        mounted = any(str(m["Destination"]) == path for m in raw["Mounts"])
        if raw["HostConfig"]["ReadonlyRootfs"] and not mounted:
            raise EngineError(f"cannot write to {path}: the root of the container is read-only")
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            for entry in archive:
                file = archive.extractfile(entry) if entry.isfile() else None
                self._rootfs[raw["Id"]][posixpath.join(path, entry.name)] = FakeFile(
                    file.read() if file is not None else None, entry.mode, entry.uid, entry.gid
                )

    async def events(self) -> AsyncIterator[EngineEvent]:
        queue: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._watchers.discard(queue)

    async def close(self) -> None:
        for queue in self._watchers:
            queue.put_nowait(None)

    # --- inside ---

    def _call(self, method: str, argument: str) -> None:
        self.calls.append((method, argument))

    def _now(self) -> str:
        return f"2026-01-01T00:00:00.{next(self._ticks):09d}Z"

    def _new_image(self, reference: str, config: Mapping[str, Any]) -> dict[str, Any]:
        ticks = self.__dict__.setdefault("_image_ticks", itertools.count(1))
        raw = {"RepoTags": [reference], "Config": dict(config), "Size": 1}
        return fake_images.with_identity(raw, next(ticks))

    def _find_image(self, reference: str) -> dict[str, Any] | None:
        by_id = next((raw for raw in self._images.values() if raw["Id"] == reference), None)
        return by_id or self._images.get(_normal(reference, self._images))

    def _lookup(self, container: str) -> dict[str, Any] | None:
        for identity, raw in self._containers.items():
            if raw["Name"] == f"/{container}" or identity.startswith(container):
                return raw
        return None

    def _raw(self, container: str) -> dict[str, Any]:
        raw = self._lookup(container)
        if raw is None:
            raise ContainerGone(f"container {container[:12]} does not exist any more", "run `devenv up`")
        return raw

    def _tell(self, action: str, identity: str) -> None:
        raw = self._containers.get(identity, {})
        name = str(raw.get("Name", "")).lstrip("/")
        self.tell(EngineEvent("container", action, identity, {"name": name}))


class FakeExecStream:
    """The whole result, as a stream."""

    def __init__(self, result: ExecResult) -> None:
        self.exec_id = "fake"
        self.written = bytearray()
        self._code = result.exit_code
        self._pieces = [(n, data) for n, data in ((1, result.stdout), (2, result.stderr)) if data]

    async def write(self, data: bytes) -> None:
        self.written += data

    async def read(self) -> tuple[int, bytes] | None:
        return self._pieces.pop(0) if self._pieces else None

    async def exit_code(self) -> int | None:
        return self._code

    async def resize(self, rows: int, columns: int) -> None: ...

    async def close(self) -> None: ...


def _normal(reference: str, images: Mapping[str, Any]) -> str:
    """With and without `:latest` is the same name."""
    if reference in images:
        return reference
    last = reference.rpartition("/")[2]
    other = reference.removesuffix(":latest") if last.endswith(":latest") else f"{reference}:latest"
    return other if other in images else reference


def _builtin(argv: Sequence[str]) -> ExecResult:
    if argv[0] == "true":
        return ExecResult(0, b"", b"")
    if argv[0] == "false":
        return ExecResult(1, b"", b"")
    if argv[0] == "echo":
        return ExecResult(0, " ".join(argv[1:]).encode() + b"\n", b"")
    if list(argv[1:2]) == ["-c"] and (match := re.fullmatch(r"exit (\d+)", argv[2])):
        return ExecResult(int(match[1]), b"", b"")
    if argv[0] in ("sh", "/bin/sh"):
        return ExecResult(0, b"", b"")
    return ExecResult(127, f"exec: {argv[0]}: not found\n".encode(), b"")
