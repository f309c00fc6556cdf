"""compose: Docker Compose by hand, with the same files and the same project as the environment's.

Without devenv's own file among them Compose sees another configuration and makes the container anew.
"""

from __future__ import annotations

import os
import shutil

from devenv.api.context import ClientContext
from devenv.api.messages import ComposeArgs
from devenv.environment.composed import override_file, project_of
from devenv.environment.target import for_client
from devenv.errors import EngineError, NotUp, UsageError
from devenv.supervisor.connection import Connection
from devenv.supervisor.registry import Registry


class ComposeVerbs:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def compose(self, args: ComposeArgs, ctx: ClientContext, connection: Connection) -> None:
        """The client becomes `docker compose`; its environment and its working folder stay its own."""
        bench = await self._registry.find(args, ctx, strict=True)
        target = bench.target
        if not target.is_compose:
            made = "an image" if target.config.build is None else "a Dockerfile"
            raise UsageError(
                f"{target.name} is made from {made}, not by Docker Compose",
                "`dockerComposeFile` in devcontainer.json makes it a Compose project",
            )
        override = override_file(bench.folder)
        if not override.is_file():
            raise NotUp(f"{target.name} has no containers yet", "run: devenv up")
        docker = shutil.which("docker", path=ctx.env.get("PATH", os.defpath))
        if docker is None:
            raise EngineError("the `docker` command is not on PATH", "install Docker's command line with Compose 2")
        project = await project_of(bench.engine, for_client(target, ctx))
        words = ["-p", project.name, *project.files.words, "-f", str(override)]
        connection.send({"t": "exec", "argv": [docker, "compose", *words, *args.args], "env": {}})
