"""What this room tells of environments."""

from __future__ import annotations

import dataclasses

from devcontainer.lifecycle import Stage
from devenv.api.views import DriftView
from devenv.engine.port import ContainerSnapshot


@dataclasses.dataclass(frozen=True, slots=True)
class EnvironmentState:
    """What the engine has for a target. `owner` names another owner whose container has the same project path."""

    container: ContainerSnapshot | None
    remote_user: str = ""
    workspace_folder: str = ""
    adopted: bool = False
    drift: tuple[DriftView, ...] = ()
    notes: tuple[str, ...] = ()
    owner: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class EnvironmentSummary:
    """One line of `devenv ls`."""

    key: str
    name: str
    local_folder: str
    config_file: str
    container: ContainerSnapshot
    adopted: bool
    owner: str  # "" ours


@dataclasses.dataclass(frozen=True, slots=True)
class UpResult:
    container: ContainerSnapshot
    remote_user: str
    workspace_folder: str
    created: bool
    adopted: bool = False
    notes: tuple[str, ...] = ()
    drift: tuple[DriftView, ...] = ()
    pending: tuple[Stage, ...] = ()  # lifecycle commands that `finish` is to run
