"""A container as it is against its configuration as it is now."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Sequence

from devenv.api.views import DriftView
from devenv.compose.project import PROJECT_LABEL
from devenv.engine import image_name
from devenv.engine.port import ContainerSnapshot, Engine
from devenv.environment import adopt, composed, drift, feature_drift, settings_drift
from devenv.environment.records import Record
from devenv.environment.results import EnvironmentState
from devenv.environment.target import Target

_BY_HAND = (
    "`docker compose up` made this container without what the dev container adds; outputs of earlier runs are kept: "
    "`devenv rebuild` brings both back"
)


async def describe(
    target: Target, engine: Engine, container: ContainerSnapshot, record: Record, owner: str, *, foreign: str = ""
) -> EnvironmentState:
    """A container that was found, compared with what is wanted of it. `owner` is ours, `foreign` another's."""
    effective = adopt.effective(target, container, owner)
    ours = adopt.is_ours(container.labels, owner)
    return EnvironmentState(
        container,
        effective.remote_user,
        adopt.mounted_folder(target, container),
        not ours,
        tuple(await differences(target, engine, container, record, effective, owner)),
        tuple(_container_notes(container)) if not ours else (),
        foreign,
    )


async def differences(
    target: Target,
    engine: Engine,
    container: ContainerSnapshot,
    record: Record,
    effective: adopt.Effective,
    owner: str,
) -> Sequence[DriftView]:
    """How a container differs from what its configuration says now: all that is known without building anything."""
    if not target.configured or target.choice.container_id:
        return []
    found = drift.compare(effective.wanted, effective.actual)
    if not adopt.is_ours(container.labels, owner):
        return found
    if record.container == container.id:
        found += await asyncio.to_thread(feature_drift.differences, target, record)
        if record.settings is not None:
            found += await asyncio.to_thread(settings_drift.differences, target, effective.merged, record.settings)
    if target.is_compose:
        return [*found, *await composed.differences(engine, target, record.service)]
    build = target.config.build
    if build is not None:
        path = pathlib.Path(target.config_file).parent / build.dockerfile
        text = await asyncio.to_thread(_read_text, path)
        then = record.dockerfile if record.container == container.id else ""
        return [*found, *(drift.dockerfile_changed(text, then) if text is not None else [])]
    wanted = str(effective.wanted.get("image", ""))
    if wanted and image_name.same(wanted, container.image):
        image = await engine.image(wanted)
        found += drift.image_moved(wanted, image.id if image else "", container.image_id)
    return found


def _container_notes(container: ContainerSnapshot) -> list[str]:
    by_compose = PROJECT_LABEL in container.labels
    notes = [_BY_HAND if adopt.is_by_compose(container.labels) else "made by another tool: it is used as it is"]
    shm = int((container.raw.get("HostConfig") or {}).get("ShmSize") or 0)
    ipc = str((container.raw.get("HostConfig") or {}).get("IpcMode") or "")
    if 0 < shm <= 64 * 1024**2 and ipc != "host":
        more = "`shm_size: 2g` of the service" if by_compose else '"runArgs": ["--shm-size=2g"]'
        notes.append(
            f"/dev/shm has 64 MB only: DataLoader workers may stop with a bus error (`devenv rebuild`, or {more})"
        )
    return notes


def _read_text(path: pathlib.Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
