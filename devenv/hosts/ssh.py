"""The `ssh` command as a child process: one master that holds the connection, and short commands over it.

It is the person's own `ssh`, with their configuration, keys, agent and known hosts. Nothing here loosens what they
have set: a host key that is not known stays unknown. Only what would turn the connection into another one (terminals,
further forwards, commands) is switched off.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shutil
import signal
from collections.abc import Mapping

from devenv.hosts import failures, probe
from devenv.hosts.destination import Destination
from devenv.hosts.probe import Machine

_CONNECT = 10.0  # seconds for the network alone
_GREETING = 40.0  # seconds for log-in and first words
_SHORT = 15.0  # seconds for a command that asks the master only
_SAID = 8192  # bytes of stderr that are kept

_OWN = (
    "BatchMode=yes",
    f"ConnectTimeout={_CONNECT:.0f}",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ExitOnForwardFailure=yes",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "ControlPersist=no",
    "LogLevel=ERROR",
)


def program(env: Mapping[str, str]) -> str:
    found = shutil.which("ssh", path=env.get("PATH", os.defpath))
    if found is None:
        raise failures.no_ssh()
    return found


def words(env: Mapping[str, str], to: Destination, control: pathlib.Path, *more: str) -> list[str]:
    """A command line that uses the person's configuration, and the master at `control` where there is one."""
    options = [word for option in (*_OWN, *more) for word in ("-o", option)]
    return [program(env), "-T", "-S", str(control), *options, "--", to.target]


class Master:
    """One connection. Made by `start`; ends with its input, so that it never outlives this process."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        to: Destination,
        control: pathlib.Path,
        env: Mapping[str, str],
    ) -> None:
        self.machine = Machine()
        self.control = control
        self.to = to
        self._process = process
        self._env = env
        self._said = bytearray()
        self._listening = asyncio.create_task(self._listen(), name=f"ssh {to.target} stderr")

    @classmethod
    async def start(cls, to: Destination, control: pathlib.Path, env: Mapping[str, str]) -> Master:
        """Logged in, and `machine` is what the other side said of itself. Raises what `failures.explained` says."""
        _clear(control)
        argv = [*words(env, to, control, "ControlMaster=yes", *_MASTER), "sh"]
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            cwd="/",
            start_new_session=True,
        )
        made = cls(process, to, control, env)
        try:
            async with asyncio.timeout(_GREETING):
                made.machine = await made._greet()
        except TimeoutError:
            await made.close()
            raise failures.explained("timed out", to, has_agent="SSH_AUTH_SOCK" in env) from None
        except BaseException:
            await made.close()
            raise
        return made

    async def _greet(self) -> Machine:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        with contextlib.suppress(OSError):  # it has ended: its words tell why
            stdin.write(probe.script(self.to))
            await stdin.drain()
        lines: list[str] | None = None
        noise, read = "", 0
        while True:
            try:
                line = (await stdout.readline()).decode("utf-8", "replace")
            except ValueError:  # longer than a line may be
                line, read = "", probe.MOST
            read += len(line)
            if not line or read > probe.MOST:
                break
            text = line.rstrip("\r\n")
            if text == probe.BEGIN:
                lines = []
            elif text == probe.END and lines is not None:
                return probe.parse(lines)
            elif lines is not None:
                lines.append(text)
            else:
                noise = text or noise
        if read > probe.MOST:
            raise failures.not_ours(self.to, "its log-in writes without an end")
        code = await self._process.wait()
        await self._listening
        if code == 255:
            raise failures.explained(self.said, self.to, has_agent="SSH_AUTH_SOCK" in self._env)
        raise failures.not_ours(self.to, self.said.splitlines()[-1] if self.said else noise)

    async def _listen(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while chunk := await stderr.read(4096):
            self._said = (self._said + chunk)[-_SAID:]

    @property
    def said(self) -> str:
        return self._said.decode("utf-8", "replace").strip()

    async def wait(self) -> None:
        """Until the connection has ended."""
        await self._process.wait()

    async def forward(self, local: pathlib.Path, remote: str) -> bool:
        """Listens at `local`, for the socket `remote` there. Whether that server lets anybody through shows later."""
        _clear(local)
        return await self._control("forward", "-L", f"{local}:{remote}")

    async def cancel(self, local: pathlib.Path, remote: str) -> None:
        await self._control("cancel", "-L", f"{local}:{remote}")

    async def _control(self, command: str, *more: str) -> bool:
        """Without the person's configuration: forwards that stand there are none of this connection's."""
        argv = [program(self._env), "-F", "none", "-S", str(self.control), "-O", command, *more, "--", "x"]
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(self._env),
        )
        try:
            async with asyncio.timeout(_SHORT):
                return await process.wait() == 0
        except TimeoutError:
            return False
        finally:
            await _end(process)

    async def run(self, argv: str, stdin: bytes = b"", *, limit: float, most: int = 65536) -> tuple[int, bytes, str]:
        """(exit code, stdout, stderr) of a command line for the other side's shell, over this connection."""
        process = await self.open(argv)
        try:
            async with asyncio.timeout(limit):
                assert process.stdin is not None and process.stdout is not None and process.stderr is not None
                with contextlib.suppress(OSError):
                    process.stdin.write(stdin)
                    await process.stdin.drain()
                process.stdin.close()
                out, err = await asyncio.gather(process.stdout.read(most), process.stderr.read(_SAID))
                return await process.wait(), out, err.decode("utf-8", "replace").strip()
        except TimeoutError:
            return 255, b"", f"no answer within {limit:.0f} s"
        finally:
            await _end(process)

    async def open(self, argv: str) -> asyncio.subprocess.Process:
        """A command there with pipes. Where the server gives no more sessions to a connection, `ssh` makes another."""
        return await asyncio.create_subprocess_exec(
            *words(self._env, self.to, self.control, "ControlMaster=no"),
            argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self._env),
            cwd="/",
            start_new_session=True,
            limit=1 << 20,
        )

    async def close(self) -> None:
        """Cuts everything that goes through it."""
        await _end(self._process)
        await self._listening
        _clear(self.control)


_MASTER = ("StreamLocalBindUnlink=yes", "StreamLocalBindMask=0177")


def _clear(path: pathlib.Path) -> None:
    """A socket that was left behind would be in the way."""
    path.unlink(missing_ok=True)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        for number, patience in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 3.0)):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            try:
                await asyncio.wait_for(process.wait(), patience)
                break
            except TimeoutError:
                continue
    if process.stdin is not None:
        process.stdin.close()
