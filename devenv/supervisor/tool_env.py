"""The environment of `exec` and `shell`: what the remote user's own shell would have."""

from __future__ import annotations

from devenv.api.context import ClientContext
from devenv.runs.spec import compose_env
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.workbench import Workbench


async def tool_environment(
    bench: Workbench, launcher: Launcher, ctx: ClientContext, *, tty: bool, unchecked: bool = False
) -> dict[str, str]:
    """Complete: the probed variables with `remoteEnv`, and the client's terminal type where there is a terminal.
    `unchecked` as in `Launcher.probed`."""
    probed = await launcher.probed(bench, ctx, unchecked=unchecked)
    return compose_env(probed.env, {}, {}, terminal=ctx.env if tty else None)
