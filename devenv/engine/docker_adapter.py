"""The Docker engine behind `devenv.engine.port.Engine`. The only file that imports the Docker SDK.

The SDK is imported when the first engine is connected (140 ms), and its calls run in threads. All of its errors become
ours in `map_error`; nothing here decides by an error's text.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from devenv.engine import build as builder
from devenv.engine import snapshots
from devenv.engine.docker_cli import DockerCli, reason
from devenv.engine.endpoint import Endpoint, config_dir, resolve, unreachable
from devenv.engine.exec_exit import exit_of
from devenv.engine.exec_stream import DockerExecStream, EngineHttp, open_exec
from devenv.engine.host_ports import holder, published_loopback
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
from devenv.engine.pull_progress import PullProgress
from devenv.errors import ContainerGone, DevenvError, EngineError, EngineMissing, ImageMissing, InternalError, PortTaken

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

_EVENTS = (
    "create", "start", "restart", "die", "kill", "stop", "destroy", "pause", "unpause", "oom", "rename",
)  # fmt: skip


def map_error(error: BaseException, endpoint: Endpoint, what: str) -> DevenvError:
    """Every error of the SDK and of the HTTP library under it. `what` says the deed, e.g. "start container x"."""
    import docker.errors
    import requests.exceptions

    if isinstance(error, DevenvError):
        return error
    if isinstance(error, docker.errors.APIError):
        status = error.response.status_code if error.response is not None else 0
        said = str(error.explanation or error).strip()
        details = {"status": status, "reason": said}
        if isinstance(error, docker.errors.ImageNotFound):
            return ImageMissing(f"cannot {what}: {said}", "check the image's name", details=details)
        if status == 404:
            return ContainerGone(f"cannot {what}: {said}", "run `devenv up`", details=details)
        return EngineError(f"cannot {what}: {said}", details=details)
    if isinstance(error, requests.exceptions.Timeout):
        return EngineMissing(
            f"the container engine at {endpoint.url} does not answer in time (cannot {what})",
            "see `docker info`; a restart of the engine may help",
        )
    if isinstance(error, docker.errors.DockerException | requests.exceptions.RequestException | OSError):
        return unreachable(endpoint, _root_cause(error))
    return InternalError(f"cannot {what}: {type(error).__name__}: {error}")


def _root_cause(error: BaseException) -> BaseException:
    """The OSError that libraries have wrapped, in causes or in arguments, or the error itself."""
    seen: set[int] = set()
    queue: list[BaseException] = [error]
    while queue:
        one = queue.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and one.errno is not None:
            return one
        queue += [e for e in (one.__cause__, one.__context__, *one.args) if isinstance(e, BaseException)]
        queue += [e for e in (getattr(one, "reason", None),) if isinstance(e, BaseException)]
    return error


class DockerEngine:
    """One engine at one endpoint. Calls may overlap; see `devenv.engine.port.Engine`."""

    def __init__(self, endpoint: Endpoint, api: APIClient, cli: DockerCli, env: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self._api = api
        self._cli = cli
        self._auth_dir = config_dir(env)
        self._http = EngineHttp(endpoint, str(api.api_version))
        self._buildx: tuple[int, int] | None = None
        self._buildx_known = False
        self._closing = False
        self._event_streams: set[Any] = set()
        # Our own threads: closed with the engine, and never starved by what else runs in the process.
        self._threads = concurrent.futures.ThreadPoolExecutor(max_workers=8, thread_name_prefix="engine")

    @classmethod
    async def connect(cls, env: Mapping[str, str], *, timeout: float = 60.0) -> DockerEngine:
        """The engine that a client with this environment means.

        Raises `EngineMissing`, `EngineDenied`, `EngineError`.
        """
        endpoint = resolve(env)
        api = await asyncio.to_thread(_dial, endpoint, timeout)
        return cls(endpoint, api, DockerCli(endpoint, env), env)

    def for_client(self, env: Mapping[str, str]) -> DockerEngine:
        """The same engine and connection for another client: its own credentials, proxies and build settings."""
        engine = DockerEngine(self.endpoint, self._api, DockerCli(self.endpoint, env), env)
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
            _knock(self.endpoint)
            try:
                return call()
            except Exception as error:  # the boundary of the SDK: whatever it raises is mapped
                raise map_error(error, self.endpoint, what) from error

        return await self._in_thread(guarded)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def info(self) -> EngineInfo:
        raw = await self._do("ask the engine about itself", self._api.info)
        return snapshots.info(
            raw,
            endpoint=self.endpoint.url,
            api_version=str(self._api.api_version),
            has_buildx=self._cli.plugin("buildx"),
            has_compose=self._cli.plugin("compose"),
        )

    async def find(self, labels: Mapping[str, str | None]) -> list[ContainerSnapshot]:
        filters = {"label": [k if v is None else f"{k}={v}" for k, v in labels.items()]}

        def call() -> list[ContainerSnapshot]:
            found = []
            for one in self._api.containers(all=True, filters=filters):
                with contextlib.suppress(_not_found()):  # removed between the two calls
                    found.append(snapshots.container(self._api.inspect_container(one["Id"])))
            return found

        return await self._do("list containers", call)

    async def inspect(self, container: str) -> ContainerSnapshot | None:
        def call() -> ContainerSnapshot | None:
            with contextlib.suppress(_not_found()):
                return snapshots.container(self._api.inspect_container(container))
            return None

        return await self._do(f"inspect container {container[:12]}", call)

    async def image(self, reference: str) -> ImageSnapshot | None:
        def call() -> ImageSnapshot | None:
            with contextlib.suppress(_not_found()):
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
            import docker.errors

            _knock(self.endpoint)
            try:
                call()
            except docker.errors.APIError as error:
                raise _image_missing(reference, str(error.explanation or error)) from error
            except DevenvError:
                raise
            except Exception as error:
                raise map_error(error, self.endpoint, f"pull {reference}") from error

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

    async def build(self, request: BuildRequest, progress: Progress) -> ImageSnapshot:
        if not self._buildx_known:
            self._buildx = await builder.buildx_version(self._cli)
            self._buildx_known = True
        image_id = await builder.build(self._cli, request, progress, self._buildx)
        image = await self.image(request.tags[0] if request.tags else image_id)
        if image is None:
            raise EngineError("the image was built but the engine does not have it", "is the builder another engine?")
        return image

    async def create(self, args: Sequence[str], *, env: Mapping[str, str] | None = None) -> str:
        code, out, err = await self._cli.run(["create", *args], env=env)
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
            for address, port in published_loopback(snapshot.raw) if snapshot is not None else ():
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
            with contextlib.suppress(_not_found()):  # already as wished
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
        except _not_found():
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
    ) -> DockerExecStream:
        return await open_exec(self._http, container, argv, user=user, env=env, workdir=workdir, tty=tty, stdin=stdin)

    async def get_archive(self, container: str, path: str) -> bytes | None:
        def call() -> bytes | None:
            try:
                chunks, _ = self._api.get_archive(container, path)
            except _not_found():
                self._api.inspect_container(container)  # raises when it is the container that is not there
                return None
            return b"".join(chunks)

        return await self._do(f"read {path} of container {container[:12]}", call)

    async def put_archive(self, container: str, path: str, tar: bytes) -> None:
        await self._do(
            f"write to {path} of container {container[:12]}", lambda: self._api.put_archive(container, path, tar)
        )

    async def events(self) -> AsyncIterator[EngineEvent]:
        """Container events. A lost engine is told once ("engine", "lost"), then once that it is back."""
        lost = False
        delay = 0.2
        while not self._closing:
            try:
                async for event in self._events_once():
                    if lost or event.type == "engine":
                        if lost:
                            yield EngineEvent("engine", "back", "", {})
                        lost, delay = False, 0.2
                    if event.type != "engine":
                        yield event
            except EngineError:
                pass
            if self._closing:
                return
            if not lost:
                lost = True
                yield EngineEvent("engine", "lost", "", {})
            await asyncio.sleep(delay)  # nothing tells when an engine comes up: ask again, ever more rarely
            delay = min(5.0, delay * 1.6)

    async def _events_once(self) -> AsyncIterator[EngineEvent]:
        """One subscription until it breaks. Its first item is ("engine", "subscribed")."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[EngineEvent | DevenvError | None] = asyncio.Queue()
        filters = {"type": ["container"], "event": list(_EVENTS)}
        stream = await self._do("watch the engine", lambda: self._api.events(filters=filters, decode=True))
        self._event_streams.add(stream)

        def tell(item: EngineEvent | DevenvError | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has gone: nobody listens any more
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def read() -> None:
            try:
                for raw in stream:
                    actor = raw.get("Actor") or {}
                    tell(
                        EngineEvent(
                            str(raw.get("Type", "")),
                            str(raw.get("Action", "")),
                            str(actor.get("ID", "")),
                            dict(actor.get("Attributes") or {}),
                        )
                    )
                tell(None)
            except Exception as error:  # a broken stream, whatever the library calls it
                tell(map_error(error, self.endpoint, "watch the engine"))

        thread = threading.Thread(target=read, name="engine-events", daemon=True)
        thread.start()
        try:
            yield EngineEvent("engine", "subscribed", "", {})
            while (item := await queue.get()) is not None:
                if isinstance(item, DevenvError):
                    raise item
                yield item
        finally:
            self._event_streams.discard(stream)
            with contextlib.suppress(Exception):  # closing a socket that is already broken
                stream.close()
            thread.join(timeout=2.0)

    async def close(self) -> None:
        self._closing = True
        for stream in list(self._event_streams):
            with contextlib.suppress(Exception):  # closing a socket that is already broken
                stream.close()
        self._api.close()
        self._threads.shutdown(wait=False)


def _knock(endpoint: Endpoint, timeout: float = 10.0) -> None:
    """Raises `EngineMissing` or `EngineDenied` when nobody opens: the SDK wraps that in three layers, and leaves its
    socket open. A tenth of a millisecond."""
    if path := endpoint.socket_path:
        with socket.socket(socket.AF_UNIX) as hand:
            hand.settimeout(timeout)
            try:
                hand.connect(path)
            except OSError as error:
                raise unreachable(endpoint, error) from error


def _dial(endpoint: Endpoint, timeout: float) -> APIClient:
    import docker
    import docker.tls

    _knock(endpoint, timeout)
    tls: Any = False
    if endpoint.tls_dir:
        tls = docker.tls.TLSConfig(
            client_cert=(f"{endpoint.tls_dir}/cert.pem", f"{endpoint.tls_dir}/key.pem"),
            ca_cert=f"{endpoint.tls_dir}/ca.pem" if endpoint.tls_verify else None,
            verify=endpoint.tls_verify,
        )
    try:
        return docker.APIClient(base_url=endpoint.url, version="auto", timeout=int(timeout), tls=tls)
    except Exception as error:  # the boundary of the SDK: whatever it raises is mapped
        raise map_error(error, endpoint, "connect to the engine") from error


def _not_found() -> type[Exception]:
    import docker.errors

    return docker.errors.NotFound


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
    return "see runArgs and mounts in devcontainer.json"
