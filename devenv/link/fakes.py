"""Stand-ins for tests, without an engine: an exec stream over a local process, an engine whose "container" is this
machine, and an in-process `Link` that needs no agent at all.

They pass the same contract tests as the real thing (`tests/contract/link`). Nothing in devenv itself may import this.
"""

from __future__ import annotations

import asyncio
import asyncio.subprocess as sub
import contextlib
import os
import pathlib
import signal as signals
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from devenv.engine.port import ContainerSnapshot, Engine, ExecResult
from devenv.errors import LinkError, NotFound
from devenv.link.agent_link import AgentLink
from devenv.link.answers import AgentRefusal
from devenv.link.dial import open_link
from devenv.link.direct_tier import prepare_folder
from devenv.link.port import AgentHello, Stream, Tier, WindowSize

_READ = 64 << 10


class SubprocessExecStream:
    """`ExecStream` over a process of this machine."""

    def __init__(self, process: sub.Process) -> None:
        self.exec_id = f"local-{process.pid}"
        self.pid = process.pid
        self._process = process
        self._chunks: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(maxsize=8)
        assert process.stdout is not None and process.stderr is not None
        self._tasks = [
            asyncio.create_task(self._pump(1, process.stdout)),
            asyncio.create_task(self._pump(2, process.stderr)),
        ]
        self._open = 2

    @classmethod
    async def start(cls, argv: Sequence[str], env: Mapping[str, str] | None = None) -> SubprocessExecStream:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=sub.PIPE,
            stdout=sub.PIPE,
            stderr=sub.PIPE,
            env=None if env is None else {**os.environ, **env},
            limit=1 << 20,
            start_new_session=True,
        )
        return cls(process)

    async def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def read(self) -> tuple[int, bytes] | None:
        return await self._chunks.get()

    async def exit_code(self) -> int | None:
        return self._process.returncode

    async def resize(self, rows: int, columns: int) -> None:
        return None

    @property
    def waiting(self) -> int:
        """Chunks read and not taken yet."""
        return self._chunks.qsize()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """As an engine does it: the process sees its stdin end; one that does not mind is killed here."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(5):
                await self._drain_and_wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await self._process.stdin.wait_closed()

    async def _drain_and_wait(self) -> None:
        for reader in (self._process.stdout, self._process.stderr):
            assert reader is not None
            while await reader.read(_READ):
                pass
        await self._process.wait()

    async def _pump(self, number: int, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_READ):
            await self._chunks.put((number, data))
        self._open -= 1
        if not self._open:
            await self._process.wait()
            await self._chunks.put(None)


class LocalEngine:
    """As much of `Engine` as a link needs; its one container is this machine and its user is ours."""

    def __init__(self) -> None:
        self.status = "running"
        self.streams: list[SubprocessExecStream] = []
        self.missing: frozenset[str] = frozenset()  # programs this "image" does not have

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
        if argv[0] in self.missing:
            return ExecResult(127, b"", b"exec: not found")
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=sub.DEVNULL, stdout=sub.PIPE, stderr=sub.PIPE, env={**os.environ, **(env or {})}
            )
        except FileNotFoundError:
            return ExecResult(127, b"", b"exec: not found")
        out, err = await process.communicate()
        return ExecResult(process.returncode or 0, out, err)

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
    ) -> SubprocessExecStream:
        stream = await SubprocessExecStream.start(argv, env)
        self.streams.append(stream)
        return stream

    async def inspect(self, container: str) -> ContainerSnapshot | None:
        return local_container(self.status)


def local_container(status: str = "running") -> ContainerSnapshot:
    return ContainerSnapshot(
        id="local",
        name="local",
        image="none",
        image_id="",
        status=status,
        created="",
        started_at="",
        finished_at="",
        exit_code=0,
        oom_killed=False,
        labels={},
        env={},
        user="",
        working_dir="/",
        network_mode="bridge",
        mounts=(),
        pid=0,
        raw={},
    )


class FakeChannel:
    """`Channel` in memory; a test (or `FakeLink`) feeds it from the far side."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.on_send: Callable[[int, bytes], None] | None = None  # b"": the end of that stream
        self.on_signal: Callable[[int], None] | None = None
        self.on_close: Callable[[], None] | None = None
        self.size: WindowSize | None = None
        self._queue: deque[tuple[int, bytes]] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: LinkError | None = None
        self._result: Mapping[str, Any] = {}

    async def recv(self) -> tuple[int, bytes] | None:
        while not self._queue:
            if self._ended:
                if self._error:
                    raise self._error
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._queue.popleft()

    async def send(self, data: bytes, stream: int = Stream.IN) -> None:
        if self._error:
            raise self._error
        if self._ended:
            raise BrokenPipeError("the channel has ended")
        self.sent.append((stream, bytes(data)))
        if self.on_send and data:
            self.on_send(stream, bytes(data))

    async def send_eof(self, stream: int = Stream.IN) -> None:
        self.sent.append((stream, b""))
        if self.on_send:
            self.on_send(stream, b"")

    async def signal(self, number: int) -> None:
        if self.on_signal:
            self.on_signal(number)

    async def resize(self, size: WindowSize) -> None:
        self.size = size

    async def close(self) -> None:
        if not self._ended and self.on_close:
            self.on_close()
        self._queue.clear()
        self.end({})

    @property
    def result(self) -> Mapping[str, Any]:
        return self._result

    def feed(self, stream: int, data: bytes) -> None:
        """The far side sends; b"" ends the stream."""
        if not self._ended:
            self._queue.append((stream, data))
            self._changed.set()

    def end(self, result: Mapping[str, Any], error: LinkError | None = None) -> None:
        if not self._ended:
            self._ended, self._result, self._error = True, result, error
        self._changed.set()


def _stamp(path: str) -> list[float] | None:
    try:
        info = pathlib.Path(path).stat()
    except OSError:
        return None
    return [info.st_size, info.st_mtime]


class FakeLink:
    """`Link` without an agent: spawns local processes, connects to local ports, answers requests from `answers`."""

    def __init__(self, tier: Tier = Tier.DIRECT) -> None:
        self.tier = tier
        self.reason = "a fake"
        self.hello = AgentHello(
            1, (3, 11, 0), "python3", os.getuid(), os.getgid(), "me", "/", "/bin/sh", "fake", 1, "/", True
        )
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Callable[..., Any]] = {"ports.list": lambda: {"listeners": []}}
        self.channels: list[FakeChannel] = []
        self.incoming: dict[int, socket.socket] = {}  # what `take` hands out
        self._listeners: list[Callable[[dict[str, Any]], None]] = []
        self._gone = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._processes: list[sub.Process] = []

    def emit(self, event: dict[str, Any]) -> None:
        for listener in list(self._listeners):
            listener(event)

    async def request(self, op: str, **params: Any) -> Any:
        self._require()
        self.requests.append((op, params))
        answer = self.answers.get(op)
        if answer is None:
            if op in ("ports.watch", "bye"):
                return {}
            raise AgentRefusal(f"unknown operation {op}", details={"code": "unknown-op", "errno": None})
        return answer(**params)

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        tty: WindowSize | None = None,
        umask: int | None = None,
        expect: Mapping[str, Any] | None = None,
        door: str = "",
    ) -> FakeChannel:
        self._require()
        for path, stamp in (expect or {}).items():
            if await asyncio.to_thread(_stamp, path) != stamp:
                raise AgentRefusal(f"{path} has changed", details={"code": "stale", "errno": None})
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=sub.PIPE, stdout=sub.PIPE, stderr=sub.PIPE, env=dict(env), cwd=cwd, start_new_session=True
            )
        except FileNotFoundError as error:
            code = "not-found" if await asyncio.to_thread(os.path.isdir, cwd) else "no-cwd"
            raise NotFound(str(error), details={"code": code, "errno": error.errno}) from None
        except OSError as error:
            raise AgentRefusal(str(error), details={"code": "not-executable", "errno": error.errno}) from None
        self._processes.append(process)
        channel = self._channel()
        assert process.stdin is not None

        def on_send(stream: int, data: bytes) -> None:
            assert process.stdin is not None
            if data:
                process.stdin.write(data)
            else:
                process.stdin.close()

        def send_signal(number: int) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)

        channel.on_send = on_send
        channel.on_signal = send_signal
        channel.on_close = lambda: send_signal(signals.SIGHUP)
        self._own(self._run(process, channel, door))
        return channel

    async def attach(
        self,
        run: str,
        *,
        offset: int = 0,
        tail_bytes: int | None = None,
        input: bool = True,
        size: WindowSize | None = None,
    ) -> FakeChannel:
        self._require()
        self.requests.append(("runs.attach", {"id": run, "offset": offset, "tail_bytes": tail_bytes}))
        return self._channel()

    async def connect(self, port: int, host: str = "127.0.0.1") -> socket.socket | FakeChannel:
        self._require()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        local = socket.socket(family, socket.SOCK_STREAM)
        local.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(local, (host, port))
        except BaseException:
            local.close()
            raise
        if self.tier is Tier.DIRECT:
            return local
        channel = self._channel()
        reader, writer = await asyncio.open_connection(sock=local)

        def on_send(stream: int, data: bytes) -> None:
            if data:
                writer.write(data)
            else:
                writer.write_eof()
                sent_all.set()

        sent_all = asyncio.Event()
        channel.on_send = on_send
        channel.on_close = writer.transport.abort
        self._own(self._relay(reader, writer, channel, sent_all))
        return channel

    async def take(self, connection: int) -> socket.socket | FakeChannel:
        self._require()
        if connection not in self.incoming:
            raise AgentRefusal(f"no such connection: {connection}", details={"code": "bad-request", "errno": None})
        return self.incoming.pop(connection)

    async def unpack(self, destination: str, tar: bytes) -> None:
        self._require()
        self.requests.append(("unpack", {"dest": destination, "size": len(tar)}))

    def subscribe(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        self._listeners.append(callback)

        def unsubscribe() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return unsubscribe

    @property
    def closed(self) -> bool:
        return self._gone.is_set()

    async def wait_closed(self) -> None:
        await self._gone.wait()

    def lose(self, reason: str = "the agent ended") -> None:
        """What happens when the far side is gone."""
        self._gone.set()
        for channel in self.channels:
            channel.end({}, LinkError(reason))

    async def close(self) -> None:
        self.lose("the link was closed")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in self._processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):  # it ended, and the loop has not heard of it yet
                    os.killpg(process.pid, signals.SIGKILL)
                await process.communicate()

    def _require(self) -> None:
        if self._gone.is_set():
            raise LinkError("the link is lost")

    def _channel(self) -> FakeChannel:
        channel = FakeChannel()
        self.channels.append(channel)
        return channel

    def _own(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, process: sub.Process, channel: FakeChannel, door: str) -> None:
        async def pump(stream: int, reader: asyncio.StreamReader) -> None:
            while data := await reader.read(_READ):
                channel.feed(stream, data)
            channel.feed(stream, b"")

        assert process.stdout is not None and process.stderr is not None
        await asyncio.gather(pump(Stream.OUT, process.stdout), pump(Stream.ERR, process.stderr))
        code = await process.wait()
        result = {"exit": code} if code >= 0 else {"signal": -code}
        if door and (told := await _asked(door)) >= 0:
            result["told"] = told
        channel.end(result)

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        channel: FakeChannel,
        sent_all: asyncio.Event,
    ) -> None:
        try:
            while data := await reader.read(_READ):
                channel.feed(Stream.OUT, data)
            channel.feed(Stream.OUT, b"")
            await sent_all.wait()
            channel.end({})
        except OSError as error:
            channel.end({"errno": error.errno or 0})
        finally:
            writer.close()


async def _asked(door: str) -> int:
    try:
        async with asyncio.timeout(0.3):
            reader, writer = await asyncio.open_unix_connection("\0" + door)
            with contextlib.closing(writer):
                return int.from_bytes(await reader.readexactly(8), "big", signed=True)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return -1


async def open_local_link(folder: pathlib.Path, tier: Tier, *, engine: LocalEngine | None = None) -> AgentLink:
    """A real link to a real agent that runs as a local process; `folder` takes its link folder and state."""
    pub = await asyncio.to_thread(prepare_folder, folder / "link")
    return await open_link(
        cast(Engine, engine or LocalEngine()),
        local_container(),
        user="",
        link_dir=pub,
        tier=tier,
        mount=str(pub),
        state=str(folder / "state"),
        pythons=[sys.executable],
    )
