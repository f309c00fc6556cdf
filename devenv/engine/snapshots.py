"""From the engine's JSON to our snapshots. Pure; shared by the Docker adapter and the fake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from devenv.engine.port import ContainerSnapshot, EngineInfo, HostLimits, ImageSnapshot

_STATUS = {"configured": "created", "initialized": "created", "stopping": "running", "stopped": "exited"}
"""Podman's own words, which pass its Docker-compatible interface as they are, in Docker's."""


def environment(pairs: Iterable[str] | None) -> dict[str, str]:
    """`["A=b"]` to `{"A": "b"}`; a name without `=` has the empty value."""
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs or ())}


def container(raw: Mapping[str, Any]) -> ContainerSnapshot:
    """From `GET /containers/ID/json`."""
    state = raw.get("State") or {}
    config = raw.get("Config") or {}
    return ContainerSnapshot(
        id=raw["Id"],
        name=str(raw.get("Name", "")).lstrip("/"),
        image=config.get("Image", ""),
        image_id=raw.get("Image", ""),
        status=_STATUS.get(status := state.get("Status", ""), status),
        created=raw.get("Created", ""),
        started_at=state.get("StartedAt", ""),
        finished_at=state.get("FinishedAt", ""),
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        labels=dict(config.get("Labels") or {}),
        env=environment(config.get("Env")),
        user=config.get("User") or "",
        working_dir=config.get("WorkingDir") or "",
        network_mode=(raw.get("HostConfig") or {}).get("NetworkMode", ""),
        mounts=tuple(raw.get("Mounts") or ()),
        pid=int(state.get("Pid") or 0),
        raw=raw,
    )


def image(raw: Mapping[str, Any]) -> ImageSnapshot:
    """From `GET /images/NAME/json`."""
    config = raw.get("Config") or {}
    return ImageSnapshot(
        id=raw["Id"],
        tags=tuple(raw.get("RepoTags") or ()),
        env=environment(config.get("Env")),
        user=config.get("User") or "",
        entrypoint=_words(config.get("Entrypoint")),
        cmd=_words(config.get("Cmd")),
        labels=dict(config.get("Labels") or {}),
        architecture=raw.get("Architecture", ""),
        size=int(raw.get("Size") or 0),
        raw=raw,
    )


def info(
    raw: Mapping[str, Any],
    *,
    endpoint: str,
    api_version: str,
    has_buildx: bool,
    has_compose: bool,
    remote: bool = False,
    limits: HostLimits | None = None,
) -> EngineInfo:
    """From `GET /info`."""
    security = tuple(raw.get("SecurityOptions") or ())
    names = {dict(part.partition("=")[::2] for part in option.split(",")).get("name", "") for option in security}
    return EngineInfo(
        version=raw.get("ServerVersion", ""),
        api_version=api_version,
        os=raw.get("OSType", "linux"),
        name=raw.get("Name", ""),
        endpoint=endpoint,
        live_restore=bool(raw.get("LiveRestoreEnabled")),
        rootless="rootless" in names or raw.get("Rootless") is True,  # Docker, Podman
        userns_remap="userns" in names,
        security_options=security,
        runtimes=tuple(sorted(raw.get("Runtimes") or ())),
        has_buildx=has_buildx,
        has_compose=has_compose,
        cpus=int(raw.get("NCPU") or 0),
        memory=int(raw.get("MemTotal") or 0),
        raw=raw,
        remote=remote,
        limits=limits,
    )


def _words(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
