"""configs: the devcontainer.json files of a project folder, and what there is of each."""

from __future__ import annotations

import asyncio
import os
import pathlib
from typing import Any

from devcontainer import discover
from devcontainer.model import DevContainer, Kind
from devenv.api.context import ClientContext
from devenv.api.messages import Args
from devenv.api.views import ConfigurationView, EnvStatus
from devenv.environment.target import Target
from devenv.errors import ConfigError, EngineError
from devenv.supervisor.connection import Connection
from devenv.supervisor.registry import Registry
from devenv.supervisor.snapshot import STATUS, status_of


class ConfigurationVerbs:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def configs(self, args: Args, ctx: ClientContext, connection: Connection) -> Any:
        root = pathlib.Path(self._registry.root_of(args, ctx))
        found = await asyncio.to_thread(discover.find, root)
        default = discover.default(root, found)
        chosen = self._registry.choices.get(str(root)) if default is None else ""
        return {"configs": [await self._view(root, path, default, chosen, ctx) for path in found]}

    async def _view(
        self, root: pathlib.Path, path: pathlib.Path, default: pathlib.Path | None, chosen: str, ctx: ClientContext
    ) -> ConfigurationView:
        marks: dict[str, Any] = {"default": path == default, "remembered": str(path) == chosen}
        try:
            target = await self._registry.environments.resolve(str(root), ctx, config=str(path))
        except ConfigError as error:
            problem = error.message.splitlines()[0]
            return ConfigurationView(config=_name(root, path), file=str(path), problem=problem, **marks)
        status, container = await self._state(target, ctx)
        return ConfigurationView(
            config=_name(root, path),
            file=str(path),
            name=target.written.name,
            kind=target.written.kind.value,
            made_from=made_from(target.written, root),
            status=status,
            container=container,
            **marks,
        )

    async def _state(self, target: Target, ctx: ClientContext) -> tuple[EnvStatus, str]:
        bench = self._registry.held(target.key)
        if bench is not None and bench.container is not None:
            return status_of(bench), bench.container.name
        try:
            engine = await self._registry.engine_for(ctx)
            container = (await self._registry.environments.status(target, engine)).container
        except EngineError:
            return EnvStatus.ENGINE_LOST, ""
        if container is None:
            return EnvStatus.ABSENT, ""
        return STATUS.get(container.status, EnvStatus.BROKEN), container.name


def made_from(config: DevContainer, root: pathlib.Path) -> str:
    """In one line what the container is made from, as written; paths are relative to the project."""
    folder = pathlib.Path(config.file).parent
    if config.kind is Kind.COMPOSE:
        files = [os.path.relpath(folder / file, root) for file in config.docker_compose_files]
        return ", ".join([*files, *([f"service {config.service}"] if config.service else [])])
    if config.build is not None:
        return os.path.relpath(folder / config.build.dockerfile, root)
    return config.image or ""


def _name(root: pathlib.Path, path: pathlib.Path) -> str:
    """What `--config` takes: the folder's name below .devcontainer, else the path."""
    by_folder = path.parent.parent == root / discover.FOLDER
    return path.parent.name if by_folder else str(path.relative_to(root))
