"""The Docker engine behind `devenv.engine.port.Engine`.

The SDK's calls run in threads. All of its errors become ours (devenv.engine.sdk); nothing decides by an error's text.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, TypeVar

from devenv.engine import archive, compose_command, direct_build, image_streams, sdk, snapshots
from devenv.engine import build as builder
from devenv.engine.docker_cli import DockerCli, reason
from devenv.engine.endpoint import Endpoint, config_dir, resolve
from devenv.engine.event_stream import EventStream
from devenv.engine.exec_exit import exit_of
from devenv.engine.exec_stream import DockerExecStream, EngineHttp, open_exec
from devenv.engine.host_ports import holder, published_loopback
from devenv.engine.libpod import Libpod
from devenv.engine.port import (
    BuildRequest,
    ContainerSnapshot,
    EngineEvent,
    EngineInfo,
    ExecResult,
    HostLimits,
    ImageSnapshot,
    NameInUse,
    Progress,
)
from devenv.engine.pull_progress import PullProgress
from devenv.errors import ContainerGone, DevenvError, EngineError, EngineMissing, ImageMissing, PortTaken

if TYPE_CHECKING:
    from devenv.engine.sdk import APIClient

T = TypeVar("T")


class DockerEngine:
    """One engine at one endpoint. Calls may overlap; see `devenv.engine.port.Engine`."""

    def __init__(self, endpoint: Endpoint, api: APIClient, cli: DockerCli, env: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self.limits: HostLimits | None = None  # told by who can look at the engine's machine
        self._api = api
        self._cli = cli
        self._auth_dir = config_dir(env)
        self._http = EngineHttp(endpoint, str(api.api_version))
        self._buildx: tuple[int, int] | None = None
        self._buildx_known = False
        self._podman: bool | None = None
        self._builder_told = False  # to this client
        self._events = EventStream(self._subscribe)
        # Our own threads: closed with the engine, and never starved by what else runs in the process.
        self._threads = concurrent.futures.ThreadPoolExecutor(max_workers=8, thread_name_prefix="engine")

    @classmethod
    async def connect(cls, env: Mapping[str, str], *, timeout: float = 60.0) -> DockerEngine:
        """The engine that a client with this environment means.

        Raises `EngineMissing`, `EngineDenied`, `EngineError`.
        """
        return await cls.open(resolve(env), env, timeout=timeout)

    @classmethod
    async def open(cls, endpoint: Endpoint, env: Mapping[str, str], *, timeout: float = 60.0) -> DockerEngine:
        """The engine at an address, for a client with this environment; raises as `connect`."""
        if endpoint.url.startswith("ssh://"):
            raise EngineError(f"{endpoint.shown} has no connection yet", "use `devenv`, which makes one")
        api = await asyncio.to_thread(sdk.dial, endpoint, timeout)
        return cls(endpoint, api, DockerCli(endpoint, env), env)

    @property
    def api_version(self) -> str:
        """What is spoken with it: "1.41"."""
        return str(self._api.api_version)

    def for_client(self, env: Mapping[str, str], endpoint: Endpoint | None = None) -> DockerEngine:
        """The same engine and connection for another client: its own credentials, proxies and build settings, and its
        own name for the address."""
        called = endpoint or self.endpoint
        engine = DockerEngine(called, self._api, DockerCli(called, env), env)
        engine.limits = self.limits
        engine._threads = self._threads  # one pool for a connection: its owner's close ends the threads
        return engine

    async def logs(self, container: str, *, tail_lines: int | None = None) -> bytes:
        """What the container's first process has printed, stdout and stderr in order."""
        tail: Any = "all" if tail_lines is None else tail_lines
        return await self._do(
            f"read the log of {container[:12]}",
            lambda: bytes(self._api.logs(container, stdout=True, stderr=True, stream=False, tail=tail)),
        )

    async def _do(self, what: str, call: Callable[[], T]) -> T:
        def guarded() -> T:
            sdk.knock(self.endpoint)
            try:
                return call()
            except Exception as error:  # the boundary of the SDK: whatever it raises is mapped
                raise sdk.map_error(error, self.endpoint, what) from error

        return await self._in_thread(guarded)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def info(self) -> EngineInfo:
        raw = await self._do("ask the engine about itself", self._api.info)
        return snapshots.info(
            raw,
            endpoint=self.endpoint.url,
            remote=self.endpoint.remote,
            limits=self.limits,
            api_version=str(self._api.api_version),
            has_buildx=self._cli.plugin("buildx"),
            has_compose=self._cli.plugin("compose"),
        )

    async def _is_podman(self) -> bool:
        """Asked once: another engine behind the same address is another connection's matter."""
        if self._podman is None:
            self._podman = (await self.info()).is_podman
        return self._podman

    async def find(self, labels: Mapping[str, str | None]) -> list[ContainerSnapshot]:
        filters = {"label": [k if v is None else f"{k}={v}" for k, v in labels.items()]}

        def call() -> list[ContainerSnapshot]:
            found = []
            for one in self._api.containers(all=True, filters=filters):
                with contextlib.suppress(sdk.not_found()):  # removed between the two calls
                    found.append(snapshots.container(self._api.inspect_container(one["Id"])))
            return found

        return await self._do("list containers", call)

    async def inspect(self, container: str) -> ContainerSnapshot | None:
        def call() -> ContainerSnapshot | None:
            with contextlib.suppress(sdk.not_found()):
                return snapshots.container(self._api.inspect_container(container))
            return None

        return await self._do(f"inspect container {container[:12]}", call)

    async def image(self, reference: str) -> ImageSnapshot | None:
        def call() -> ImageSnapshot | None:
            with contextlib.suppress(sdk.not_found()):
                return snapshots.image(self._api.inspect_image(reference))  # type: ignore[no-untyped-call]
            return None

        return await self._do(f"inspect image {reference}", call)

    async def pull(self, reference: str, progress: Progress) -> ImageSnapshot:
        shown = PullProgress(reference, progress)
        repository, tag = _split_reference(reference)

        def call() -> None:
            if self._auth_dir is not None and (self._auth_dir / "config.json").is_file():
                self._api.reload_config(dockercfg_path=str(self._auth_dir / "config.json"))
            for message in self._api.pull(repository, tag=tag, stream=True, decode=True):
                if said := message.get("error"):
                    raise _image_missing(reference, str(said))
                shown.feed(message)

        def guarded() -> None:
            sdk.knock(self.endpoint)
            try:
                call()
            except sdk.api_error() as error:
                raise _image_missing(reference, sdk.said(error)) from error
            except DevenvError:
                raise
            except Exception as error:
                raise sdk.map_error(error, self.endpoint, f"pull {reference}") from error

        try:
            await self._in_thread(guarded)
        except BaseException:
            shown.end(ok=False)
            raise
        image = await self.image(reference)
        shown.end(ok=image is not None)
        if image is None:
            raise _image_missing(reference, "the engine pulled it but does not have it")
        return image

    async def build(self, request: BuildRequest, progress: Progress) -> ImageSnapshot | None:
        if not self._buildx_known:
            self._buildx = None if await self._is_podman() else await builder.buildx_version(self._cli)
            self._buildx_known = True
        image_id = await self._built(request, progress)
        if not request.into_engine:
            return None
        image = await self.image(request.tags[0] if request.tags else image_id)
        if image is None:
            raise EngineError("the image was built but the engine does not have it", "is the builder another engine?")
        return image

    def _post(self, path: str, **options: Any) -> Any:
        return self._api.post(f"{self._api.base_url}/v{self._api.api_version}{path}", **options)

    def _get(self, path: str, **options: Any) -> Any:
        return self._api.get(f"{self._api.base_url}/v{self._api.api_version}{path}", **options)

    async def images(self) -> list[str]:
        found = await self._do("list images", self._api.images)
        return [str(one["Id"]) for one in found]

    async def save_image(self, reference: str, take: Callable[[IO[bytes]], T]) -> T:
        return await self._do(f"read image {reference}", lambda: image_streams.save(self._get, reference, take))

    async def load_image(self, reference: str, body: Iterator[bytes], size: int) -> None:
        await image_streams.load(self._http, reference, body, size, self._threads)

    async def _built(self, request: BuildRequest, progress: Progress) -> str:
        buildx = None if request.classic else self._buildx
        if buildx is not None and direct_build.suits(request):
            with contextlib.suppress(direct_build.Unsuited):
                return await direct_build.build(self._post, request, progress, self._threads)
        known, self._builder_told = self._builder_told, True
        return await builder.build(self._cli, request, progress, buildx, podman=bool(self._podman), known=known)

    async def tag(self, image: str, reference: str) -> None:
        repository, tag = _split_reference(reference)
        await self._do(f"tag {reference}", lambda: self._api.tag(image, repository, tag))

    async def compose(
        self,
        args: Sequence[str],
        *,
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        take: Callable[[str], None] | None = None,
        take_output: Callable[[str], None] | None = None,
    ) -> ExecResult:
        # Compose would start a BuildKit of its own, a privileged container from an image on Docker Hub.
        settings = {"DOCKER_BUILDKIT": "0"} if await self._is_podman() else None
        return await compose_command.run(
            self._cli, args, cwd=cwd, env=env, take=take, take_output=take_output, settings=settings
        )

    async def create(self, args: Sequence[str], *, env: Mapping[str, str] | None = None) -> str:
        code, out, err = await self._cli.create(args, env or {})
        if code == 0:
            return out.strip().splitlines()[-1]
        said = reason(err)
        # Why it failed is asked of the engine, not read out of the message.
        if (name := _option(args, "--name")) and await self._appears(name):
            raise NameInUse(f"a container named {name} exists already", details={"name": name})
        await self.info()  # raises when the engine itself is the reason
        raise EngineError(f"the container cannot be created: {said}", _create_hint(args), details={"reason": said})

    async def _appears(self, name: str) -> bool:
        """Whether a container has the name. The engine gives names away a moment before the container can be seen."""
        for delay in (0.02, 0.05, 0.1, 0.2, 0.4, None):
            if await self.inspect(name) is not None:
                return True
            if delay is not None:
                await asyncio.sleep(delay)
        return False

    async def start(self, container: str) -> None:
        try:
            await self._do(f"start container {container[:12]}", lambda: self._api.start(container))
        except ContainerGone:
            raise
        except EngineMissing:
            raise
        except EngineError as error:
            snapshot = await self.inspect(container)
            here = snapshot is not None and not self.endpoint.remote
            for address, port in published_loopback(snapshot.raw) if snapshot is not None and here else ():
                if (who := holder(address, port)) is not None:
                    raise PortTaken(
                        f"port {port} of this machine, which the container publishes, is taken by {who}",
                        "stop it, or change appPort or runArgs",
                        details={"port": port, "holder": who},
                    ) from error
            if snapshot is not None and (snapshot.raw.get("HostConfig") or {}).get("DeviceRequests"):
                error.hint = "the engine cannot give GPUs: install the NVIDIA Container Toolkit, or drop --gpus"
            raise

    async def stop(self, container: str, *, timeout: int = 10) -> None:
        await self._do(f"stop container {container[:12]}", lambda: self._api.stop(container, timeout=timeout))

    async def unpause(self, container: str) -> None:
        await self._do(f"unpause container {container[:12]}", lambda: self._api.unpause(container))

    async def remove(self, container: str, *, force: bool = False, volumes: bool = False) -> None:
        def call() -> None:
            with contextlib.suppress(sdk.not_found()):  # already as wished
                self._api.remove_container(container, force=force, v=volumes)

        await self._do(f"remove container {container[:12]}", call)

    async def remove_volume(self, name: str) -> bool:
        return await self._do(f"remove volume {name}", lambda: self._gone(lambda: self._api.remove_volume(name)))

    async def remove_image(self, reference: str) -> bool:
        return await self._do(
            f"remove image {reference}", lambda: self._gone(lambda: self._api.remove_image(reference))
        )

    @staticmethod
    def _gone(call: Callable[[], object]) -> bool:
        try:
            call()
        except sdk.not_found():
            return False
        return True

    async def diff(self, container: str) -> list[tuple[str, str]]:
        changes = await self._do(f"read changes of {container[:12]}", lambda: self._api.diff(container))
        return [("CAD"[entry["Kind"]], entry["Path"]) for entry in changes or ()]

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
        """Raises `EngineError` after `timeout` seconds; the process itself is then still there."""
        parts: dict[int, list[bytes]] = {1: [], 2: []}
        try:
            async with asyncio.timeout(timeout):
                stream = await open_exec(
                    self._http, container, argv, user=user, env=env, workdir=workdir, tty=False, stdin=False
                )
                try:
                    while (piece := await stream.read()) is not None:
                        parts.setdefault(piece[0], []).append(piece[1])
                    code = await exit_of(stream)
                finally:
                    await stream.close()
        except TimeoutError as error:
            raise EngineError(f"{argv[0]} in container {container[:12]} took longer than {timeout:.0f} s") from error
        return ExecResult(code, b"".join(parts[1]), b"".join(parts[2]))

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
    ) -> DockerExecStream:
        return await open_exec(
            self._http,
            container,
            argv,
            user=user,
            env=env,
            workdir=workdir,
            tty=tty,
            stdin=stdin,
            privileged=privileged,
        )

    async def check_health(self, container: str) -> None:
        if await self._is_podman():
            await Libpod(self.endpoint).check_health(container)

    async def own_ids(self, container: str) -> tuple[int, int]:
        return await Libpod(self.endpoint).own_ids(container) if await self._is_podman() else (0, 0)

    async def get_archive(self, container: str, path: str) -> bytes | None:
        def call() -> bytes | None:
            try:
                chunks, _ = self._api.get_archive(container, path)
            except sdk.not_found():
                self._api.inspect_container(container)  # raises when it is the container that is not there
                return None
            return b"".join(chunks)

        return await self._do(f"read {path} of container {container[:12]}", call)

    async def put_archive(self, container: str, path: str, tar: bytes) -> None:
        await self._do(
            f"write to {path} of container {container[:12]}",
            lambda: self._api.put_archive(container, path, archive.trimmed(tar)),
        )

    def events(self) -> AsyncIterator[EngineEvent]:
        """Container events. A lost engine is told once ("engine", "lost"), then once that it is back."""
        return self._events.follow()

    def wake(self) -> None:
        """It can be reached again, as far as somebody can tell."""
        self._events.wake()

    async def _subscribe(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        filters = {"type": ["container"], "event": list(names)}
        return await self._do("watch the engine", lambda: self._api.events(filters=filters, decode=True))

    async def close(self) -> None:
        self._events.close()
        self._api.close()
        self._threads.shutdown(wait=False)


def _split_reference(reference: str) -> tuple[str, str]:
    """`host:5000/name:tag` or `name@sha256:...` to (repository, tag or digest)."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    head, slash, last = reference.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{head}{slash}{name}", tag or "latest"


def _image_missing(reference: str, said: str) -> ImageMissing:
    return ImageMissing(
        f"image {reference} is not here and cannot be pulled: {said}",
        "check its name, the network and `docker login`; or build or load it under this name",
        details={"image": reference, "reason": said},
    )


def _option(args: Sequence[str], option: str) -> str | None:
    """The value of the first `option value`."""
    return next((args[at + 1] for at, word in enumerate(args[:-1]) if word == option), None)


def _create_hint(args: Sequence[str]) -> str:
    words = {word.split("=", 1)[0] for word in args}
    for option, hint in (
        ("--gpus", "GPUs need the NVIDIA Container Toolkit and its runtime in the engine"),
        ("--runtime", "see `docker info` for the runtimes that the engine has"),
        ("--network", "see `docker network ls`"),
    ):
        if option in words:
            return hint
    return ""
