"""The reference's JSON of an environment: keys and their order are `devcontainer.readout`'s; what is known is ours."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from devcontainer import javascript, readout
from devcontainer.features import install, report
from devcontainer.features.reference import LocalReference
from devcontainer.jsonc import JsonValue
from devcontainer.metadata import Entry
from devenv.api.context import ClientContext
from devenv.api.dropin_messages import DropinBuildArgs, DropinReadArgs, DropinSetUpArgs, DropinUpArgs
from devenv.compose.project import PROJECT_LABEL
from devenv.engine.port import ContainerSnapshot, Progress
from devenv.environment import inspection, plan
from devenv.environment import target as targets
from devenv.environment.plan import Lock, UpOptions
from devenv.environment.shape import image_entries
from devenv.environment.target import Target
from devenv.errors import NotFound, UsageError
from devenv.features import fetch
from devenv.features.cache import FeatureCache
from devenv.features.fetch import Resolved
from devenv.supervisor.registry import Registry
from devenv.supervisor.workbench import Workbench


class Answers:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def up(self, bench: Workbench, args: DropinUpArgs, ctx: ClientContext) -> dict[str, Any]:
        container = bench.require_running()
        answer: dict[str, Any] = {"outcome": "success", "containerId": container.id}
        if project := container.labels.get(PROJECT_LABEL):
            answer["composeProjectName"] = project
        user = bench.remote_user.partition(":")[0]
        answer |= {"remoteUser": "root" if user in ("", "0") else user}
        answer |= {"remoteWorkspaceFolder": bench.paths.workspace}
        return _ordered({**answer, **self._configurations(bench, container, args, ctx)})

    def set_up(self, bench: Workbench, args: DropinSetUpArgs, ctx: ClientContext) -> dict[str, Any]:
        container = bench.container
        assert container is not None
        return _ordered({"outcome": "success", **self._configurations(bench, container, args, ctx)})

    async def build(
        self, bench: Workbench, args: DropinBuildArgs, ctx: ClientContext, progress: Progress
    ) -> dict[str, Any]:
        from devenv.environment.image.prebuild import Destination

        if args.push and args.output:
            raise UsageError("--push true cannot be used with --output.")
        labels = dict(label.partition("=")[::2] for label in args.labels)
        destination = Destination(
            names=tuple(args.image_names),
            platforms=tuple(part for part in args.platform.split(",") if part),
            push=args.push,
            output=args.output,
            labels=labels,
            feature_customizations=args.persist_feature_customizations,
        )
        options = UpOptions(
            trust=True,
            no_cache=args.no_cache,
            classic=args.buildkit == "never",
            cache_from=tuple(args.cache_from),
            cache_to=(args.cache_to,) if args.cache_to else (),
            lock=Lock(args.lockfile),
            strict_features=False,
        )
        names = await self._registry.environments.build(bench.target, ctx, options, destination, progress)
        composed = bench.target.is_compose and not args.image_names
        return {"outcome": "success", "imageName": names[0] if composed else list(names)}

    def nothing(self, args: DropinReadArgs) -> dict[str, Any]:
        """Of no container and no configuration."""
        if args.include_merged_configuration:
            raise NotFound("No image information specified in devcontainer.json.", "name a folder or a configuration")
        return {"configuration": {}}

    async def read(
        self, bench: Workbench, args: DropinReadArgs, ctx: ClientContext, progress: Progress
    ) -> dict[str, Any]:
        target, container = targets.for_client(bench.target, ctx), bench.container
        shown = _configuration(target, container)
        answer: dict[str, Any] = {"configuration": shown}
        if target.local_folder:
            mount = None if target.is_compose else target.workspace_mount
            answer["workspace"] = readout.workspace(target.workspace_folder, mount, *target.extra_mounts[:1])
        resolved = None
        features = target.config.features
        if args.include_features_configuration or (args.include_merged_configuration and container is None):
            resolved = await self._resolved(target, ctx, progress, bool(features)) if features else None
        if args.include_features_configuration and resolved is not None:
            answer["featuresConfiguration"] = report.features_configuration(
                resolved.steps, str(self._registry.environments.home.cache / "features"), _local_folder(target)
            )
        if args.include_merged_configuration:
            entries = await self._entries(bench, target, container, resolved, progress)
            answer["mergedConfiguration"] = readout.merged_configuration(shown, entries)
        return _ordered(answer)

    async def _resolved(self, target: Target, ctx: ClientContext, progress: Progress, files: bool) -> Resolved:
        return await fetch.resolve(
            target.config.features,
            configuration=pathlib.Path(target.config_file),
            workspace=pathlib.Path(target.local_folder),
            env=ctx.env,
            cache=FeatureCache(self._registry.environments.home.cache / "features"),
            progress=progress,
            override_order=target.config.override_feature_install_order,
            map_bare_ids=target.choice.map_bare_features,
            files=False,
        )

    async def _entries(
        self,
        bench: Workbench,
        target: Target,
        container: ContainerSnapshot | None,
        resolved: Resolved | None,
        progress: Progress,
    ) -> Sequence[Entry]:
        """Of the container that is there, else of the one that would be made."""
        if container is not None:
            return self._registry.environments.entries(target, container)
        plan.check(target)
        base = await inspection.base_image(bench.engine, target, progress)
        found: list[Entry] = list(image_entries(base)) if base is not None else []
        found += [install.metadata_entry(step) for step in (resolved.steps if resolved is not None else ())]
        return [target.substitution.apply_entry(entry) for entry in (*found, *target.entries) if entry]

    def _configurations(
        self,
        bench: Workbench,
        container: ContainerSnapshot,
        args: DropinUpArgs | DropinSetUpArgs,
        ctx: ClientContext,
    ) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        target = targets.for_client(bench.target, ctx)
        shown = _configuration(target, container)
        if args.include_configuration:
            answer["configuration"] = shown
        if args.include_merged_configuration:
            entries = self._registry.environments.entries(target, container)
            answer["mergedConfiguration"] = readout.merged_configuration(shown, entries)
        return answer


def _configuration(target: Target, container: ContainerSnapshot | None) -> dict[str, JsonValue]:
    if not target.configured:
        return {}
    known = target.substitution
    if container is not None:
        known = dataclasses.replace(known, container_env=container.env)
    raw: Mapping[str, JsonValue] = known.apply_entry(_as_written(target))
    scheme = readout.GIVEN if target.choice.config else readout.DISCOVERED
    return readout.configuration(raw, target.config_file, scheme)


def _ordered(answer: dict[str, Any]) -> dict[str, Any]:
    """Keys that look like numbers come first, as JavaScript prints them."""
    found = javascript.ordered(answer)
    assert isinstance(found, dict)
    return found


def _as_written(target: Target) -> Mapping[str, JsonValue]:
    """Without the features that the caller added: no file has them."""
    raw, added = target.written.raw, target.choice.additional_features
    if not added:
        return raw
    own = {name: given for name, given in target.written.features.items() if name in target.team_features}
    kept = {**raw, "features": own}
    return kept if own else {key: value for key, value in kept.items() if key != "features"}


def _local_folder(target: Target) -> Any:
    def folder(reference: LocalReference) -> str:
        return str(pathlib.Path(target.config_folder, reference.path))

    return folder
