"""A full-duplex exec over the engine's HTTP interface: create, upgrade, then raw bytes both ways.

Our own client, because the SDK gives its socket only as a private detail of another library and reads it blocking.
The answer's head is read byte-exact, so that the first bytes of the process are never lost in a buffer.
Half-close does not exist here (moby#38457): whoever needs EOF says it in the protocol above.

Concurrency: one reader and one writer at a time; `resize` and `exit_code` may overlap with both (own connections).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.parse
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from devenv.engine.endpoint import Endpoint, unreachable
from devenv.errors import ContainerGone, EngineError, InternalError

_HIGH_WATER = 4 * 1024 * 1024  # bytes that wait for the reader before the socket is left alone
_MAX_HEAD = 64 * 1024


class FrameDemux:
    """Docker's multiplexed stream, incrementally: 1 byte stream, 3 zero bytes, u32 length, payload.

    Payload is handed on as it comes: a frame is never waited for as a whole.
    """

    def __init__(self) -> None:
        self._head = bytearray()
        self._left = 0
        self._stream = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Pieces (stream, bytes) in order; neighbours of one stream are joined. Raises ValueError on garbage."""
        pieces: list[tuple[int, list[bytes | memoryview]]] = []
        view = memoryview(data)
        at = 0
        while at < len(view):
            if self._left == 0:
                need = 8 - len(self._head)
                self._head += view[at : at + need]
                at += need
                if len(self._head) < 8:
                    break
                self._stream = self._head[0]
                if self._stream > 2 or self._head[1] or self._head[2] or self._head[3]:
                    raise ValueError(f"not a frame of an exec stream: {bytes(self._head)!r}")
                self._left = int.from_bytes(self._head[4:8], "big")
                self._head.clear()
                continue
            part = view[at : at + self._left]
            at += len(part)
            self._left -= len(part)
            if pieces and pieces[-1][0] == self._stream:
                pieces[-1][1].append(part)
            else:
                pieces.append((self._stream, [part]))
        return [(stream, b"".join(parts)) for stream, parts in pieces]


class Wire(asyncio.Protocol):
    """One connection: first HTTP answers, then raw. Reading pauses when nobody takes the bytes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.chunks: deque[bytes] = deque()
        self.waiting = 0
        self.raw = False
        self.eof = False
        self.error: Exception | None = None
        self._paused = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.raw:
            self.chunks.append(data)
            self.waiting += len(data)
            if self.waiting > _HIGH_WATER and not self._paused and self.transport is not None:
                self._paused = True
                self.transport.pause_reading()
        else:
            self.buffer += data
        self._readable.set()

    def eof_received(self) -> bool:
        self.eof = True
        self._readable.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.eof = True
        self.error = exc
        self._readable.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes) -> None:
        if self.transport is None or self.transport.is_closing() or self.eof:
            raise ConnectionResetError("the connection is closed")
        self.transport.write(data)
        await self._writable.wait()

    def become_raw(self) -> None:
        self.raw = True
        if self.buffer:
            self.chunks.append(bytes(self.buffer))
            self.waiting += len(self.buffer)
            self.buffer.clear()

    async def chunk(self) -> bytes | None:
        while not self.chunks:
            if self.eof:
                return None
            self._readable.clear()
            await self._readable.wait()
        data = self.chunks.popleft()
        self.waiting -= len(data)
        if self._paused and self.waiting < _HIGH_WATER // 2 and self.transport is not None and not self.eof:
            self._paused = False
            self.transport.resume_reading()
        return data

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    async def _more(self) -> None:
        if self.eof:
            raise ConnectionResetError("the engine closed the connection")
        self._readable.clear()
        await self._readable.wait()

    async def head(self) -> tuple[int, dict[str, str]]:
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if len(self.buffer) > _MAX_HEAD:
                raise ConnectionError("the engine's answer has no end of its head")
            await self._more()
        lines = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        del self.buffer[: end + 4]
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return int(lines[0].split(" ", 2)[1]), fields

    async def body(self, fields: Mapping[str, str]) -> bytes:
        if fields.get("transfer-encoding", "").lower() == "chunked":
            made = bytearray()
            while True:
                while (end := self.buffer.find(b"\r\n")) < 0:
                    await self._more()
                size = int(bytes(self.buffer[:end]).split(b";")[0], 16)
                while len(self.buffer) < end + 2 + size + 2:
                    await self._more()
                made += self.buffer[end + 2 : end + 2 + size]
                del self.buffer[: end + 2 + size + 2]
                if size == 0:
                    return bytes(made)
        size = int(fields.get("content-length", "0"))
        while len(self.buffer) < size:
            await self._more()
        made = self.buffer[:size]
        del self.buffer[:size]
        return bytes(made)


class EngineHttp:
    """The few requests that execs need, each on its own short connection."""

    def __init__(self, endpoint: Endpoint, api_version: str) -> None:
        self._endpoint = endpoint
        self._prefix = f"/v{api_version}" if api_version else ""

    async def connect(self) -> Wire:
        loop = asyncio.get_running_loop()
        try:
            if path := self._endpoint.socket_path:
                _, wire = await loop.create_unix_connection(Wire, path)
            else:
                parts = urllib.parse.urlsplit(self._endpoint.url)
                tls = self._tls()
                port = parts.port or (2376 if tls else 2375)
                _, wire = await loop.create_connection(Wire, parts.hostname or "127.0.0.1", port, ssl=tls)
        except OSError as error:
            raise unreachable(self._endpoint, error) from error
        return wire

    def _tls(self) -> ssl.SSLContext | None:
        folder = self._endpoint.tls_dir
        if not folder:
            return None
        context = ssl.create_default_context(cafile=f"{folder}/ca.pem" if self._endpoint.tls_verify else None)
        if not self._endpoint.tls_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
        return context

    async def send(
        self, wire: Wire, method: str, path: str, body: Any = None, *, upgrade: bool = False
    ) -> tuple[int, dict[str, str]]:
        payload = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {self._prefix}{path} HTTP/1.1", "Host: docker", "User-Agent: devenv"]
        if body is not None:
            lines.append("Content-Type: application/json")
        lines.append(f"Content-Length: {len(payload)}")
        if upgrade:
            lines += ["Connection: Upgrade", "Upgrade: tcp"]
        try:
            await wire.write("\r\n".join([*lines, "", ""]).encode() + payload)
            return await wire.head()
        except (OSError, ValueError) as error:
            raise unreachable(self._endpoint, error) from error

    async def read_body(self, wire: Wire, fields: Mapping[str, str]) -> bytes:
        try:
            return await wire.body(fields)
        except (OSError, ValueError) as error:
            raise unreachable(self._endpoint, error) from error

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request on a fresh connection; the JSON of the answer, or None."""
        wire = await self.connect()
        try:
            status, fields = await self.send(wire, method, path, body)
            return status, _json(await self.read_body(wire, fields))
        finally:
            wire.abort()

    def head(self, method: str, path: str, kind: str, size: int) -> bytes:
        """Of a request whose body of `size` bytes follows."""
        lines = [f"{method} {self._prefix}{path} HTTP/1.1", "Host: docker", "User-Agent: devenv"]
        return "\r\n".join([*lines, f"Content-Type: {kind}", f"Content-Length: {size}", "", ""]).encode()

    def unreachable(self, error: BaseException) -> EngineError:
        return unreachable(self._endpoint, error)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data) if data.strip() else None
    except ValueError:
        return {"message": data.decode("utf-8", "replace").strip()}


def _reason(value: Any) -> str:
    return str(value.get("message", "")) if isinstance(value, dict) else ""


class DockerExecStream:
    """See `devenv.engine.port.ExecStream`. Made by `open_exec`."""

    def __init__(self, http: EngineHttp, wire: Wire, exec_id: str, *, tty: bool) -> None:
        self.exec_id = exec_id
        self._http = http
        self._wire = wire
        self._demux = None if tty else FrameDemux()
        self._ready: deque[tuple[int, bytes]] = deque()

    async def write(self, data: bytes) -> None:
        """Waits while the engine does not take more. Raises `ConnectionResetError` when the process is gone."""
        await self._wire.write(data)

    async def read(self) -> tuple[int, bytes] | None:
        while not self._ready:
            data = await self._wire.chunk()
            if data is None:
                return None
            if self._demux is None:
                return 1, data
            try:
                self._ready.extend(self._demux.feed(data))
            except ValueError as error:
                await self.close()
                raise InternalError(f"the engine's exec stream is out of step: {error}") from error
        return self._ready.popleft()

    async def exit_code(self) -> int | None:
        """The process's exit code; None while it runs."""
        status, value = await self._http.request("GET", f"/exec/{self.exec_id}/json")
        if status == 404:
            raise ContainerGone("the container of a running command is gone", "run `devenv up` again")
        if status != 200 or not isinstance(value, dict):
            raise EngineError(f"the engine does not say how a command ended: {_reason(value)}")
        code = value.get("ExitCode")
        return None if value.get("Running") or code is None else int(code)

    async def resize(self, rows: int, columns: int) -> None:
        # The process may have ended meanwhile: a resize of nothing is not an error worth telling.
        await self._http.request("POST", f"/exec/{self.exec_id}/resize?h={rows}&w={columns}")

    async def close(self) -> None:
        self._wire.abort()


async def open_exec(
    http: EngineHttp,
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
    """Creates and starts an exec on one connection. Raises `ContainerGone`, `EngineError`, `EngineMissing`."""
    body: dict[str, Any] = {
        "AttachStdin": stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": tty,
        "Cmd": list(argv),
        "Env": [f"{name}={value}" for name, value in (env or {}).items()],
    }
    if user:
        body["User"] = user
    if workdir:
        body["WorkingDir"] = workdir
    if privileged:
        body["Privileged"] = True
    wire = await http.connect()
    try:
        status, fields = await http.send(
            wire, "POST", f"/containers/{urllib.parse.quote(container, safe='')}/exec", body
        )
        value = _json(await http.read_body(wire, fields))
        if status >= 500 and not await _runs(http, container):
            status = 409  # Podman has one answer for all that goes wrong
        _check(status, value, container)
        exec_id = str(value["Id"])
        start = {"Detach": False, "Tty": tty}
        status, fields = await http.send(wire, "POST", f"/exec/{exec_id}/start", start, upgrade=True)
        if status not in (101, 200):
            _check(status, _json(await http.read_body(wire, fields)), container)
        wire.become_raw()
        return DockerExecStream(http, wire, exec_id, tty=tty)
    except BaseException:
        wire.abort()
        raise


async def _runs(http: EngineHttp, container: str) -> bool:
    """False as well for a container that is not there."""
    _, value = await http.request("GET", f"/containers/{urllib.parse.quote(container, safe='')}/json")
    state = value.get("State") if isinstance(value, dict) else None
    return bool(state.get("Running")) if isinstance(state, dict) else False


def _check(status: int, value: Any, container: str) -> None:
    if status < 300 and isinstance(value, dict):
        return
    reason = _reason(value)
    if status == 404:
        raise ContainerGone(f"container {container[:12]} does not exist any more", "run `devenv up`")
    if status == 409:
        raise ContainerGone(f"container {container[:12]} is not running: {reason}", "run `devenv start`")
    raise EngineError(f"the engine refused a command in container {container[:12]}: {reason or status}")
