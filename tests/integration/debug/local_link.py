"""A link to this very machine, for tests that need processes and files but neither a container nor an agent.

It answers the requests that runs and debugging make (`stat`, `which`, `unpack`, `runs.read`) as an agent would.
"""

from __future__ import annotations

import asyncio
import base64
import io
import os
import pathlib
import shutil
import signal
import stat
import tarfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from devenv.errors import NotFound
from devenv.link.port import AgentHello, Tier, WindowSize


class LocalChannel:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._queue: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._pumps = asyncio.create_task(self._pump())
        self.result: dict[str, Any] = {}

    async def _pump(self) -> None:
        async def one(number: int, stream: asyncio.StreamReader | None) -> None:
            assert stream is not None
            while data := await stream.read(65536):
                await self._queue.put((number, data))
            await self._queue.put((number, b""))

        await asyncio.gather(one(1, self._process.stdout), one(2, self._process.stderr))
        code = await self._process.wait()
        self.result = {"exit": code} if code >= 0 else {"signal": -code}
        await self._queue.put(None)

    async def recv(self) -> tuple[int, bytes] | None:
        return await self._queue.get()

    async def send(self, data: bytes, stream: int = 0) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def send_eof(self, stream: int = 0) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def signal(self, number: int) -> None:
        os.killpg(self._process.pid, number)

    async def resize(self, size: WindowSize) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        if self._process.returncode is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        await self._pumps
        transport = self._process._transport  # type: ignore[attr-defined]
        transport.close()


class LocalLink:
    tier = Tier.STREAM
    reason = "the test's own machine"

    def __init__(self, state: pathlib.Path) -> None:
        self.hello = AgentHello(
            version=1,
            python=(3, 11, 0),
            executable="python3",
            uid=os.getuid(),
            gid=os.getgid(),
            user="root",
            home="/",
            shell="/bin/sh",
            hostname="here",
            pid=os.getpid(),
            state_dir=str(state),
            state_kept=True,
        )
        self.requests: list[str] = []
        self.output: dict[str, bytes] = {}

    async def request(self, op: str, **params: Any) -> Any:
        self.requests.append(op)
        match op:
            case "stat":
                return {path: self._stat(path) for path in params["paths"]}
            case "which":
                return {name: shutil.which(name, path=params["path"]) for name in params["names"]}
            case "runs.read":
                data = self.output.get(params["run"], b"")[-params["tail_bytes"] :]
                return {"data": base64.b64encode(data).decode()}
        raise AssertionError(f"no answer to {op}")

    @staticmethod
    def _stat(path: str) -> dict[str, Any] | None:
        try:
            found = os.stat(path)
        except OSError:
            return None
        kind = "directory" if stat.S_ISDIR(found.st_mode) else "file"
        return {
            "type": kind,
            "size": found.st_size,
            "mode": found.st_mode,
            "uid": found.st_uid,
            "mtime": found.st_mtime,
        }

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        tty: WindowSize | None = None,
        umask: int | None = None,
    ) -> LocalChannel:
        self.requests.append("spawn")
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, env=dict(env), cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
        except FileNotFoundError as error:
            raise NotFound(f"{argv[0]} is not there") from error
        return LocalChannel(process)

    async def attach(self, run: str, **_: Any) -> Any:
        raise NotImplementedError

    async def connect(self, port: int, host: str = "127.0.0.1") -> Any:
        raise NotImplementedError

    async def unpack(self, destination: str, tar: bytes) -> None:
        self.requests.append("unpack")
        target = pathlib.Path(destination)
        target.parent.mkdir(parents=True, exist_ok=True)
        work = target.with_name("." + target.name)
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(work, filter="data")
            else:  # Debian 12's Python 3.11.2 has no filters yet
                archive.extractall(work)
        work.rename(target)

    def subscribe(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        return lambda: None

    closed = False

    async def wait_closed(self) -> None: ...
    async def close(self) -> None: ...
