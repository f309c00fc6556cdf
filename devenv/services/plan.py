"""What services an environment has and which process each one is. Pure: configuration and findings in, plans out."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from devenv.runs.resolve import command_argv
from devenv.runs.spec import Probed, Program, ProgramKind, RunSpec, compose_env

if TYPE_CHECKING:
    from devenv.config import DevenvConfig, ServiceConfig
    from devenv.runs.workspace import WorkspacePaths

JUPYTER_PORT = 8888
TENSORBOARD_PORT = 6006
PORTS_TRIED = 50
# The page a person wants, by the program that serves it.
JUPYTER_MODULES: Mapping[str, str] = {"jupyterlab": "lab", "notebook": "tree", "jupyter_server": ""}
DEFAULT_LOGDIR = "runs"


@dataclasses.dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service that can be started, or why it cannot (`missing`)."""

    name: str
    kind: str  # jupyter | tensorboard | command
    declared: bool
    config: ServiceConfig
    module: str = ""  # what serves it, for jupyter and tensorboard
    port: int | None = None  # the port wished for; None: the service has none
    missing: str = ""

    @property
    def page(self) -> str:
        """Path of its page, without a leading slash."""
        return JUPYTER_MODULES.get(self.module, "") if self.kind == "jupyter" else ""

    @property
    def needs_token(self) -> bool:
        return self.kind == "jupyter"


def _plan(name: str, config: ServiceConfig, found: frozenset[str], *, declared: bool) -> ServicePlan:
    kind = config.kind.value
    if kind == "command":
        return ServicePlan(name, kind, declared, config, port=config.port)
    if kind == "jupyter":
        module = next((module for module in JUPYTER_MODULES if module in found), "")
        missing = "" if module else "Jupyter is not installed for the environment's Python (jupyterlab or notebook)"
        return ServicePlan(name, kind, declared, config, module, config.port or JUPYTER_PORT, missing)
    missing = "" if "tensorboard" in found else "TensorBoard is not installed for the environment's Python"
    return ServicePlan(name, kind, declared, config, "tensorboard.main", config.port or TENSORBOARD_PORT, missing)


def plan_services(config: DevenvConfig, found: frozenset[str]) -> list[ServicePlan]:
    """The declared services, then those offered because their program is installed and nobody declared that kind."""
    from devenv.config import ServiceConfig, ServiceKind

    plans = [_plan(name, service, found, declared=True) for name, service in config.services.items()]
    kinds = {plan.kind for plan in plans}
    for kind in (ServiceKind.JUPYTER, ServiceKind.TENSORBOARD):
        if kind.value not in kinds and kind.value not in config.services:
            offered = _plan(kind.value, ServiceConfig(kind=kind), found, declared=False)
            if not offered.missing:
                plans.append(offered)
    return plans


def free_port(wished: int, taken: Iterable[int]) -> int:
    """The wished port, or the next one that nothing in the container listens on."""
    used = frozenset(taken)
    return next((port for port in range(wished, min(65536, wished + PORTS_TRIED)) if port not in used), wished)


def service_spec(
    plan: ServicePlan,
    port: int | None,
    *,
    workspace: WorkspacePaths,
    probed: Probed,
    remote_env: Mapping[str, str | None],
    token: str,
    root_user: bool,
) -> RunSpec:
    """The run that this service is. Every server listens on the container's loopback and opens no browser.

    Jupyter gets its token in the environment, refuses another port than the one that is forwarded, and shows its
    working folder.
    """
    config = plan.config
    cwd = posixpath.normpath(posixpath.join(workspace.container, config.cwd))
    env = compose_env(probed.env, remote_env, config.env, terminal=None)
    python = probed.python or "python3"
    if plan.kind == "jupyter":
        cwd = posixpath.normpath(posixpath.join(workspace.container, config.root))
        args = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", "--port-retries=0"]
        if root_user:
            args.append("--allow-root")
        env["JUPYTER_TOKEN"] = token
        program = Program(ProgramKind.MODULE, plan.module, (*args, *config.args), python)
    elif plan.kind == "tensorboard":
        logdir = posixpath.normpath(posixpath.join(cwd, config.logdir or DEFAULT_LOGDIR))
        args = ["--logdir", logdir, "--host", "127.0.0.1", "--port", str(port)]
        program = Program(ProgramKind.MODULE, plan.module, (*args, *config.args), python)
    else:
        first, *rest = command_argv(config.command or [])
        program = Program(ProgramKind.COMMAND, first, (*rest, *config.args))
    return RunSpec(
        name=plan.name,
        kind="service",
        program=program,
        argv=program.argv,
        env=env,
        cwd=cwd,
        meta={"service": plan.name, "port": port},
    )
