"""What devenv adds to a container of its own accord: GPU wiring and what training needs. Asked when one is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from devcontainer.compose import Service
from devcontainer.merge import Merged, merge
from devenv import gpu
from devenv.config import ContainerConfig
from devenv.engine.port import EngineInfo
from devenv.environment.job import Job
from devenv.environment.shape import Additions, Made
from devenv.environment.training import engine_limits, training_defaults
from devenv.environment.training.container_settings import BadSetting, ContainerSettings
from devenv.environment.training.training_defaults import Said
from devenv.errors import ConfigError, Problem
from devenv.gpu import HostDevices, NotAChoice, Way, Wiring


class Extras:
    """Belongs to one `up`. After a start that failed with GPUs, `try_another_way` and then `decide` again."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._tried: list[Way] = []
        self._way = Way.NONE

    def try_another_way(self) -> bool:
        """Whether a failure may have to do with the way that GPUs were wired: the next `decide` takes another one."""
        if self._way is Way.NONE:
            return False
        self._tried.append(self._way)
        return True

    async def decide(
        self, made: Made, info: EngineInfo, run_args: Sequence[str], *, service: Service | None = None
    ) -> Additions:
        """Raises `GpuMissing` where a GPU is required and cannot be given, `ConfigError` for settings that mean
        nothing, `UsageError` for an option."""
        job = self._job
        entries = [entry for entry in (*made.entries, *job.target.entries) if entry]
        merged = merge([job.target.substitution.apply_entry(entry) for entry in entries])
        settings = _settings(job.settings(merged).container)
        said = Said(
            run_args=run_args,
            service=service.raw if service is not None else None,
            mount_targets=frozenset(mount.target for mount in merged.mounts),
            init=next((value for e in reversed(entries) if isinstance(value := e.get("init"), bool)), None),
        )
        try:
            limits = await engine_limits.gather(info)
            defaults = training_defaults.decide(settings, info, said, limits)
            wiring = await self._gpus(merged, settings, made, info, run_args, service)
        except (BadSetting, NotAChoice) as error:
            key = f"container.{error.key}" if isinstance(error, BadSetting) else "container.gpus"
            place = job.target.config_file if not job.options.gpus else "--gpus"
            raise ConfigError([Problem(place, 0, 0, key, error.message, error.hint)]) from error
        self._way = wiring.way
        notes = (wiring.note,) if wiring.note else ()
        if wiring.refusal is not None:
            if job.options.gpu_missing_refuses:
                raise wiring.refusal.error()
            notes = (f"{wiring.refusal.missing}; {wiring.refusal.todo}",)
        patches = tuple(patch for patch in (wiring.compose, defaults.compose) if patch)
        return Additions(
            args=(*defaults.args, *wiring.args),
            patches=patches,
            environment=wiring.environment,
            init=defaults.says_init,
            lines=wiring.lines,
            defaults=defaults.lines,
            notes=notes,
        )

    async def _gpus(
        self,
        merged: Merged,
        settings: ContainerSettings,
        made: Made,
        info: EngineInfo,
        run_args: Sequence[str],
        service: Service | None,
    ) -> Wiring:
        job = self._job
        forced = job.options.gpu_via or settings.gpu_via
        asked = gpu.asked(merged.host_requirements.gpu, option=job.options.gpus, setting=settings.gpus)
        own = gpu.of_service(service.raw) if service is not None else gpu.of_run_args(run_args)
        if asked.nothing and not own:
            return gpu.wire(asked, info, None)
        environment = {**made.image.env, **(_environment(service) if service is not None else {})}
        devices: HostDevices | None = await gpu.gather(info)
        if not self._tried:
            return gpu.wire(asked, info, devices, forced=forced, own=own, image_environment=environment)
        following = gpu.next_way(asked, info, devices, self._tried, forced=forced, image_environment=environment)
        return dataclasses.replace(following, environment={**following.environment})


def _environment(service: Service) -> dict[str, str]:
    values = service.raw.get("environment")
    return {name: str(value or "") for name, value in values.items()} if isinstance(values, dict) else {}


def _settings(written: ContainerConfig) -> ContainerSettings:
    return ContainerSettings(
        gpus=written.gpus or "",
        gpu_via=written.gpu_via or "",
        shm_size=written.shm_size or "",
        ulimits=written.ulimits,
        ipc=written.ipc or "",
        init=written.init,
    )
