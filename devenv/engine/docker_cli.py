"""The `docker` command as a child process: found, given its endpoint by environment, its end told as a typed error.

Used where the SDK has no equivalent: `create` with the user's own `runArgs`, and builds. Values that may be secret are
passed in the child's environment (`-e NAME`), never in its arguments: arguments are readable by every user of the host.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import re
import shutil
import signal
from collections.abc import Mapping, Sequence

from devenv.engine import env_file
from devenv.engine.endpoint import Endpoint, client_environment, config_dir
from devenv.errors import EngineError

PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
"""Where the command looks for plugins, after the client's own folder (docker/cli, cli-plugins/manager)."""

STEERING = re.compile(r"^(DOCKER_.*|BUILDX_.*|BUILDKIT_.*|LD_.*|DYLD_.*|GO.*|HOME|PATH|XDG_.*|.*_proxy|.*_PROXY)$")
"""Variables that change what the `docker` command itself does."""


class DockerCli:
    """One endpoint's `docker` command. Calls may overlap; each is a process of its own."""

    def __init__(self, endpoint: Endpoint, env: Mapping[str, str]) -> None:
        self._env = client_environment(endpoint, env)
        self._binary: str | None = None

    def binary(self) -> str:
        """Raises `EngineError` when there is no `docker` command on the client's PATH."""
        if self._binary is None or not os.access(self._binary, os.X_OK):
            found = shutil.which("docker", path=self._env.get("PATH", os.defpath))
            if found is None:
                raise EngineError(
                    "the `docker` command is not on PATH",
                    "install Docker's command line (package docker-cli or docker-ce-cli)",
                )
            self._binary = found
        return self._binary

    def plugin(self, name: str) -> bool:
        """Whether the command has the plugin (buildx, compose); looks at files, runs nothing."""
        own = config_dir(self._env)
        folders = (*((str(own / "cli-plugins"),) if own is not None else ()), *PLUGIN_FOLDERS)
        return any(os.access(pathlib.Path(folder, f"docker-{name}"), os.X_OK) for folder in folders)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Raises `EngineError` when a value would change the command itself instead of the container or build."""
        made = dict(self._env)
        for name, value in (extra or {}).items():
            if self.steers(name, value):
                raise EngineError(
                    f"{name} cannot take its value from another local variable",
                    f"write ${{localEnv:{name}}}, or a plain value",
                )
            made[name] = value
        return made

    def steers(self, name: str, value: str) -> bool:
        """Whether a container's value would change what the command itself does."""
        return STEERING.match(name) is not None and self._env.get(name) != value

    async def spawn(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        cwd: str = "",
        inherit: tuple[int, ...] = (),
    ) -> asyncio.subprocess.Process:
        """Stdin is closed, stdout and stderr are pipes, the process leads its own group.

        `env` are values for the container or the build, `settings` are for the command itself, as are
        the descriptors that it shall `inherit`.
        """
        return await asyncio.create_subprocess_exec(
            self.binary(),
            *args,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self.environment(env), **(settings or {})},
            start_new_session=True,
            cwd=cwd or None,
            pass_fds=inherit,
            limit=4 * 1024 * 1024,
        )

    async def create(self, args: Sequence[str], env: Mapping[str, str]) -> tuple[int, str, str]:
        """`docker create` with values for `-e NAME`, whatever the names; as `run`."""
        apart = {name: value for name, value in env.items() if self.steers(name, value) and env_file.fits(value)}
        if not apart:
            return await self.run(["create", *args], env=env)
        rest = {name: value for name, value in env.items() if name not in apart}
        with env_file.opened(apart) as (path, inherit):
            words = ["create", "--env-file", path, *env_file.without(args, apart)]
            return await self.run(words, env=rest, inherit=inherit)

    async def run(
        self, args: Sequence[str], *, env: Mapping[str, str] | None = None, inherit: tuple[int, ...] = ()
    ) -> tuple[int, str, str]:
        """(exit code, stdout, stderr). Cancelled: the command is ended first."""
        process = await self.spawn(args, env=env, inherit=inherit)
        try:
            out, err = await process.communicate()
        except BaseException:
            await end(process)
            raise
        return process.returncode or 0, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


async def read_line(stream: asyncio.StreamReader) -> str:
    """The next line with its end, a piece of an overlong one, or "" at the end."""
    try:
        return (await stream.readuntil(b"\n")).decode("utf-8", "replace")
    except asyncio.IncompleteReadError as rest:
        return rest.partial.decode("utf-8", "replace")
    except asyncio.LimitOverrunError as over:
        return (await stream.read(over.consumed)).decode("utf-8", "replace") + "\n"


async def end(process: asyncio.subprocess.Process) -> None:
    """Ends a command of ours with its plugin processes."""
    if process.returncode is not None:
        return
    for number, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            await asyncio.wait_for(process.wait(), patience)
        except TimeoutError:
            continue
        return


def reason(stderr: str) -> str:
    """The engine's own words out of the command's complaint."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("See 'docker", "Run 'docker", "Usage:", "WARNING:"))]
    text = " ".join(lines)
    for prefix in ("docker: ", "Error response from daemon: "):
        text = text.removeprefix(prefix)
    return text.rstrip(".") or "no reason given"
