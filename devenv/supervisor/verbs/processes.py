"""exec and shell: processes that end with their client."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Mapping

from devenv.api.context import ClientContext
from devenv.api.messages import ExecArgs
from devenv.engine.endpoint import client_environment
from devenv.errors import DevenvError, NoProgram, NoPython, NotExecutable
from devenv.link.port import Channel, Link, WindowSize
from devenv.supervisor.connection import Connection
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.registry import Registry
from devenv.supervisor.relay import ClientStream
from devenv.supervisor.tool_env import tool_environment
from devenv.supervisor.workbench import Workbench

_Words = tuple[list[str], Mapping[str, str]]
"""A command and its environment."""


class ProcessVerbs:
    def __init__(self, registry: Registry, launcher: Launcher) -> None:
        self._registry = registry
        self._launcher = launcher

    async def exec(self, args: ExecArgs, ctx: ClientContext, connection: Connection) -> None:
        await self.run(await self._registry.find(args, ctx), args, ctx, connection)

    async def run(self, bench: Workbench, args: ExecArgs, ctx: ClientContext, connection: Connection) -> None:
        """One command in an environment that is known already."""

        async def words(unchecked: bool) -> _Words:
            env = await tool_environment(bench, self._launcher, ctx, tty=args.tty, unchecked=unchecked)
            return args.argv, {**env, **args.env}

        await self._process(bench, words, args, ctx, connection)

    async def shell(self, args: ExecArgs, ctx: ClientContext, connection: Connection) -> None:
        bench = await self._registry.find(args, ctx)

        async def words(unchecked: bool) -> _Words:
            env = await tool_environment(bench, self._launcher, ctx, tty=args.tty, unchecked=unchecked)
            shell = bench.probed.shell if bench.probed and bench.probed.shell else "/bin/sh"
            return [shell, *(args.argv or (["-l"] if _has_login(shell) else []))], env

        await self._process(bench, words, args, ctx, connection)

    async def _process(
        self,
        bench: Workbench,
        words: Callable[[bool], Awaitable[_Words]],
        args: ExecArgs,
        ctx: ClientContext,
        connection: Connection,
    ) -> None:
        """`words` gives the command with its environment, `True`: as they were the last time. What those rest on goes
        with the request: looking first would be a round trip of its own."""
        bench.require_running()
        if bench.files is not None:
            await bench.files.before()
        # Another user's agent may not look at this one's files.
        expect = self._launcher.expected(bench) if not args.user else None
        argv, env = await words(expect is not None)
        cwd = bench.paths.working_folder(ctx.cwd) or env.get("HOME", "/")
        try:
            link = await bench.link(args.user)
        except NoPython:
            connection.send(_engine_exec(bench, argv, env, cwd, args))
            return
        size = WindowSize(ctx.rows or 24, ctx.columns or 80) if args.tty else None
        door = bench.files.door if bench.files is not None else ""
        try:
            channel = await link.spawn(argv, env=env, cwd=cwd, tty=size, umask=ctx.umask, expect=expect, door=door)
        except DevenvError as error:
            if error.details.get("code") != "stale":
                raise _as_a_shell_says(error) from error
            argv, env = await words(False)
            channel = await self._spawn_checked(link, argv, env, cwd, size, ctx, door)
        connection.start_stream()
        bench.guests += 1
        try:
            async with ClientStream(connection, ctx) as client:
                ended = dict(await client.run(channel))
                told = ended.pop("told", None)
                known = (door, told) if isinstance(told, int) else None
                if bench.files is not None and (why := await bench.files.after(known)):
                    connection.note(f"devenv: {why}")
                connection.end(ended)
        finally:
            bench.guests -= 1
        await connection.drain()

    async def _spawn_checked(
        self,
        link: Link,
        argv: list[str],
        env: Mapping[str, str],
        cwd: str,
        size: WindowSize | None,
        ctx: ClientContext,
        door: str,
    ) -> Channel:
        try:
            return await link.spawn(argv, env=env, cwd=cwd, tty=size, umask=ctx.umask, door=door)
        except DevenvError as error:
            raise _as_a_shell_says(error) from error


def _as_a_shell_says(error: DevenvError) -> DevenvError:
    """127 for a program that is not there, 126 for one that cannot be executed: what scripts around `exec` test."""
    match error.details.get("code"):
        case "not-found":
            return NoProgram(error.message, "it is looked up on the PATH in the container", details=error.details)
        case "not-executable":
            return NotExecutable(error.message, details=error.details)
    return error


def _has_login(shell: str) -> bool:
    return shell.rsplit("/", 1)[-1] in ("bash", "zsh", "sh", "dash", "ash", "ksh", "fish")


def _engine_exec(
    bench: Workbench, argv: list[str], env: Mapping[str, str], cwd: str, args: ExecArgs
) -> dict[str, object]:
    """No agent can run in this image: the client becomes the engine's own client. Values travel by environment."""
    container = bench.require_running()
    command = [shutil.which("docker") or "docker", "exec", "-i", "-w", cwd, "-u", args.user or bench.remote_user]
    if args.tty:
        command.append("-t")
    passed = {}
    for name, value in env.items():
        if _steers_the_client(name):
            command += ["-e", f"{name}={value}"]
        else:
            command += ["-e", name]
            passed[name] = value
    if bench.endpoint.remote:
        passed |= client_environment(bench.endpoint, {})
    return {"t": "exec", "argv": [*command, container.id, *argv], "env": passed}


def _steers_the_client(name: str) -> bool:
    """Variables that the engine's client, or the host's dynamic loader, would take for their own. None is a secret."""
    return name in ("HOME", "PATH", "TMPDIR") or name.startswith(("LD_", "DOCKER_", "XDG_", "GODEBUG"))
