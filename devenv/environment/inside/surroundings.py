"""What every process of the user finds in its environment: the shell's, the configuration's, secrets, Git's trust."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from devcontainer import workspace
from devenv.engine.port import ContainerSnapshot, Engine
from devenv.environment import adopt, shape
from devenv.environment.inside import git_safety, live_environment, probe
from devenv.environment.inside.probe import ProbeCache, ProbedEnv
from devenv.environment.records import Record
from devenv.environment.target import Target
from devenv.errors import ConfigError
from devenv.lifecycle import secrets

if TYPE_CHECKING:
    from devenv.link.port import Link


async def tool_environment(
    target: Target,
    container: ContainerSnapshot,
    effective: adopt.Effective,
    engine: Engine,
    link: Link | None,
    record: Record,
    folder: pathlib.Path,
) -> ProbedEnv:
    """The tool environment of the remote user. From the cache when container and start-up files are the same.

    A link only tells, cheaply, whether the cache is fresh. `record` and `folder` are the environment's on the host.
    """
    user, inside = effective.remote_user, adopt.mounted_folder(target, container)
    mode = effective.merged.user_env_probe or target.choice.user_env_probe or effective.merged.probe
    cache = ProbeCache(folder)
    changed, removed = live_environment.differences(target, effective)
    base = {name: value for name, value in {**container.env, **changed}.items() if name not in removed}
    key, files = probe.cache_key(container, user, mode, inside, changed, removed), await stamps(link, inside)
    answer = cache.load(key, files, base)
    note = ""
    if answer is None:
        answer, slow = await probe.run(
            engine, container.id, user=user, mode=mode, folder=inside, changed=changed, removed=removed
        )
        if slow:
            note = f"the shell's start-up files took longer than {probe.LIMIT:.0f} s and were left out"
        if answer.env is not None and not slow:
            cache.save(key, files, base, answer)
    env = dict(answer.env) if answer.env is not None else dict(base)
    if answer.venv:
        env = probe.activate(env, answer.venv)
    env = probe.with_remote_env(env, effective.merged.remote_env)
    env |= await asyncio.to_thread(_secrets, record)
    if _differs_in_owner(target, record, user):
        env |= git_safety.variables(env, _git_folders(target))
    return ProbedEnv(env, answer.python, answer.python_version, answer.shell, answer.machine, note, files)


def _secrets(record: Record) -> dict[str, str]:
    """Of the file that the last `up` was given; what is wrong with it was told then."""
    try:
        return secrets.read(record.secrets_file) if record.secrets_file else {}
    except ConfigError:
        return {}


def _differs_in_owner(target: Target, record: Record, user: str) -> bool:
    try:
        owner = pathlib.Path(target.local_folder).stat().st_uid
    except OSError:
        return False
    return owner != (record.uid if record.uid >= 0 else 0 if shape.is_root(user) else -1)


def _git_folders(target: Target) -> Sequence[str]:
    """The workspace and, when a whole repository is mounted, its root."""
    parents = pathlib.PurePosixPath(target.workspace_folder).parents
    return [target.workspace_folder, *(str(p) for p in parents if str(p).startswith(f"{workspace.ROOT}/"))]


async def stamps(link: Link | None, folder: str) -> dict[str, list[Any]] | None:
    """Times and sizes of the start-up files, through the agent; without one a probe holds for one container start."""
    if link is None or link.closed:
        return None
    answer = await link.request("stat", paths=probe.startup_files(link.hello.home, folder))
    return {path: [entry["size"], entry["mtime"]] for path, entry in sorted(answer.items()) if entry}
