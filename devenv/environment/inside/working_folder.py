"""Whether the folder that tools open is there: without it nothing can run, neither a lifecycle command nor a shell.

Asked once, of a new container, and only where no mount puts a folder there.
"""

from __future__ import annotations

from devenv.engine.port import ContainerSnapshot, Engine
from devenv.environment import adopt
from devenv.environment.target import Target
from devenv.errors import ConfigError

_IS_THERE = '[ -d "$1" ]'


async def check(engine: Engine, target: Target, container: ContainerSnapshot, user: str) -> None:
    """Raises `ConfigError`."""
    folder = adopt.mounted_folder(target, container)
    places = {str(mount.get("Destination", "")) for mount in container.mounts}
    if folder in ("", "/") or folder.rstrip("/") in places:
        return
    done = await engine.exec_capture(container.id, ["/bin/sh", "-c", _IS_THERE, "sh", folder], user=user)
    if done.exit_code == 1:
        mounted = "the service's `volumes`" if target.is_compose else '"workspaceMount"'
        hint = f"mount the project there ({mounted}), make it in the image, or name another folder"
        raise ConfigError([target.problem("workspaceFolder", f"there is no folder {folder} in the container", hint)])
