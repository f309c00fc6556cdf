"""What `devenv devcontainer` asks for: the reference's commands over the same environments as every other verb's.

Results are the reference's objects (devcontainer.readout); how they are printed is the client's business. A script
calls these, so nothing is asked: what a repository runs on the host is allowed, as the reference allows it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.dropin_messages import (
    DropinArgs,
    DropinBuildArgs,
    DropinCommandsArgs,
    DropinExecArgs,
    DropinReadArgs,
    DropinSetUpArgs,
    DropinUpArgs,
)
from devenv.api.messages import ExecArgs
from devenv.engine.port import ContainerSnapshot
from devenv.environment.plan import Hooks, Lock, UpOptions
from devenv.environment.target import Choice
from devenv.errors import HookFailed, NotFound, NotUp
from devenv.lifecycle.dotfiles import Dotfiles
from devenv.supervisor.bring_up import BringUp, Manner
from devenv.supervisor.connection import Connection
from devenv.supervisor.dropin_answers import Answers
from devenv.supervisor.operation import Telling
from devenv.supervisor.registry import Registry
from devenv.supervisor.verbs.processes import ProcessVerbs
from devenv.supervisor.workbench import Workbench

_NOT_FOUND = "Dev container not found."


class DropinVerbs:
    def __init__(self, registry: Registry, bringing: BringUp, processes: ProcessVerbs, answers: Answers) -> None:
        self._registry = registry
        self._bringing = bringing
        self._processes = processes
        self._answers = answers

    async def up(self, args: DropinUpArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._bench(args, ctx, dict(args.additional_features))
        options = UpOptions(
            trust=True,
            rebuild=args.remove_existing_container,
            no_cache=args.build_no_cache,
            gpus="none" if args.gpu_availability == "none" else "",
            gpu_via="gpus" if args.gpu_availability == "all" else "",
            gpu_missing_refuses=False,
            secrets_file=_path(ctx, args.secrets_file),
            hooks=_hooks(args.skip_post_create, args.skip_non_blocking_commands, args.prebuild),
            attach_hook=not args.skip_post_attach,
            lock=Lock(args.lockfile),
            strict_features=False,
            mounts=tuple(args.mounts),
            remote_env=args.remote_env,
            cache_from=tuple(args.cache_from),
            cache_to=(args.cache_to,) if args.cache_to else (),
            classic=args.buildkit == "never",
            update_uid={"on": True, "off": False, "never": False}.get(args.update_remote_user_uid_default),
            expect_existing=args.expect_existing_container,
            dotfiles=_dotfiles(args),
        )
        manner = Manner(options, services=False, connect=False, pending=False)
        try:
            await self._bringing.shared(bench, "rebuild" if options.rebuild else "up", manner, ctx, connection)
        except HookFailed as error:
            if bench.container is not None:
                error.details.setdefault("container", bench.container.id)
            raise
        return self._answers.up(bench, args, ctx)

    async def set_up(self, args: DropinSetUpArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._existing(args, ctx)
        hooks = _hooks(args.skip_post_create, args.skip_non_blocking_commands, False)
        options = UpOptions(hooks=hooks, remote_env=args.remote_env, dotfiles=_dotfiles(args))
        await self._registry.environments.run_pending(bench.target, ctx, options, _telling(connection))
        return self._answers.set_up(bench, args, ctx)

    async def run_user_commands(self, args: DropinCommandsArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._existing(args, ctx)
        hooks = _hooks(False, args.skip_non_blocking_commands, args.prebuild, args.stop_for_personalization)
        options = UpOptions(
            hooks=hooks,
            attach_hook=not args.skip_post_attach,
            remote_env=args.remote_env,
            secrets_file=_path(ctx, args.secrets_file),
            dotfiles=_dotfiles(args),
        )
        _running(bench)
        await self._registry.environments.run_pending(bench.target, ctx, options, _telling(connection))
        words = {
            Hooks.PREBUILD: "prebuild",
            Hooks.BLOCKING: "skipNonBlocking",
            Hooks.PERSONALIZATION: "stopForPersonalization",
        }
        return {"outcome": "success", "result": words.get(hooks, "done")}

    async def exec(self, args: DropinExecArgs, ctx: ClientContext, connection: Connection) -> None:
        bench = await self._existing(args, ctx)
        _running(bench)
        there = dataclasses.replace(ctx, cwd=bench.target.local_folder or ctx.cwd)
        said = self._registry.merged(bench).remote_env  # what the configuration says counts
        env = {name: value for name, value in args.remote_env.items() if name not in said}
        request = ExecArgs(argv=args.argv, tty=args.tty, env=env)
        await self._processes.run(bench, request, there, connection)

    async def remove(self, args: DropinArgs, ctx: ClientContext, connection: Connection) -> Any:
        """The container and all that was made for it: of `features test`, which made it a moment ago."""
        bench = await self._bench(args, ctx, complete=False)
        await self._registry.environments.down(bench.target, ctx, _telling(connection), volumes=True)
        await bench.refresh()
        self._registry.forget_paths()
        return {"outcome": "success"}

    async def build(self, args: DropinBuildArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._bench(args, ctx, dict(args.additional_features))
        return await self._answers.build(bench, args, ctx, _telling(connection))

    async def read_configuration(self, args: DropinReadArgs, ctx: ClientContext, connection: Connection) -> Any:
        if _by_labels_alone(args) and not await self._labelled(args, ctx):
            return self._answers.nothing(args)
        bench = await self._bench(args, ctx, dict(args.additional_features), complete=False)
        return await self._answers.read(bench, args, ctx, _telling(connection))

    # --- which environment is meant ---

    async def _bench(
        self,
        args: DropinArgs,
        ctx: ClientContext,
        features: dict[str, Any] | None = None,
        *,
        complete: bool = True,
    ) -> Workbench:
        """`complete`: the configuration must say what the container is made from."""
        if args.container_id and not args.folder:
            return await self._by_id(args, ctx)
        if _by_labels_alone(args):
            return await self._by_labels(args, ctx)
        choice = Choice(
            config=args.config,
            override_config=args.override_config,
            id_labels=args.id_labels,
            container_id=args.container_id,
            user_env_probe=args.default_user_env_probe,
            additional_features=features or {},
            map_bare_features=not args.skip_feature_auto_mapping,
            personal=False,
            live_user=True,
            complete=complete,
            mount_git_root=args.mount_git_root,
            mount_git_worktree_common_dir=args.mount_git_worktree_common_dir,
        )
        expected = args.config or f"{args.folder or ctx.cwd}/.devcontainer/devcontainer.json"
        missing = _no_configuration(expected)
        try:
            bench = await self._registry.find(args, ctx, choice)
        except NotFound as error:
            raise missing from error
        if not bench.target.configured:
            raise missing
        if args.container_id and bench.container is None:
            raise NotFound(_NOT_FOUND, f"there is no container {args.container_id}")
        return bench

    async def _existing(self, args: DropinArgs, ctx: ClientContext) -> Workbench:
        bench = await self._bench(args, ctx, complete=False)
        if bench.container is None:
            raise NotFound(_NOT_FOUND, "`up` makes one")
        return bench

    async def _by_id(self, args: DropinArgs, ctx: ClientContext) -> Workbench:
        engine = await self._registry.engine_for(ctx)
        container = await engine.inspect(args.container_id)
        if container is None:
            raise NotFound(_NOT_FOUND, f"there is no container {args.container_id}")
        try:
            return await self._registry.find_container(container, ctx, args.config)
        except NotFound as error:
            raise _no_configuration(args.config or "") from error

    async def _by_labels(self, args: DropinArgs, ctx: ClientContext) -> Workbench:
        found = await self._labelled(args, ctx)
        if not found:
            raise NotFound(_NOT_FOUND, "no container has these labels")
        return await self._registry.find_container(found[0], ctx, args.config, args.id_labels)

    async def _labelled(self, args: DropinArgs, ctx: ClientContext) -> list[ContainerSnapshot]:
        engine = await self._registry.engine_for(ctx)
        return [c for c in await engine.find(dict(args.id_labels or {})) if c.status != "removing"]


def _no_configuration(file: str) -> NotFound:
    """In the reference's words, which scripts look for."""
    return NotFound(f"Dev container config ({file}) not found.", "`devenv init` writes one")


def _by_labels_alone(args: DropinArgs) -> bool:
    """Nothing says what is configured."""
    given = (args.container_id, args.folder, args.config, args.override_config)
    return bool(args.id_labels) and not any(given)


def _running(bench: Workbench) -> None:
    container = bench.container
    if container is not None and container.status != "running":
        raise NotUp(f"container {container.name} is not running ({container.status})", "`up` starts it")


def _hooks(skip: bool, blocking: bool, prebuild: bool, personalization: bool = False) -> Hooks:
    if skip:
        return Hooks.NONE
    if prebuild:
        return Hooks.PREBUILD
    if personalization:
        return Hooks.PERSONALIZATION
    return Hooks.BLOCKING if blocking else Hooks.ALL


def _dotfiles(args: Any) -> Dotfiles | None:
    if not args.dotfiles_repository:
        return None
    target = args.dotfiles_target_path or "~/dotfiles"
    return Dotfiles(args.dotfiles_repository, target, args.dotfiles_install_command)


def _path(ctx: ClientContext, path: str) -> str:
    return os.path.normpath(path if path.startswith("/") else f"{ctx.cwd}/{path}") if path else ""


def _telling(connection: Connection) -> Telling:
    return Telling(asyncio.get_running_loop(), connection.send)
