"""What `up` would do, as a value: ordered steps, and the names and builds that a configuration stands for. Pure but for
looking whether the files that a build needs are there.
"""

from __future__ import annotations

import dataclasses
import enum
import os
import pathlib
import re
from collections.abc import Mapping, Sequence

from devcontainer import dockerfile
from devcontainer.dockerfile import DockerfileError
from devcontainer.model import Kind
from devenv.api.views import DriftView
from devenv.engine.port import BuildRequest
from devenv.environment import properties
from devenv.environment.target import Target
from devenv.errors import ConfigError, NotFound
from devenv.lifecycle.dotfiles import Dotfiles


class StepKind(enum.StrEnum):
    INITIALIZE = "initialize"
    REMOVE = "remove"
    PULL = "pull"
    BUILD = "build"
    FEATURES = "features"
    CREATE = "create"
    USERS = "users"
    START = "start"
    UNPAUSE = "unpause"
    HOOK = "hook"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    kind: StepKind
    title: str


class Hooks(enum.StrEnum):
    """Which lifecycle commands an `up` runs."""

    ALL = "all"
    CONFIGURED = "configured"  # as BLOCKING where the configuration names `waitFor`, else all
    BLOCKING = "blocking"  # those up to `waitFor`; the caller runs the others later
    PERSONALIZATION = "personalization"  # those before a person's dotfiles
    PREBUILD = "prebuild"  # up to updateContentCommand, which runs again
    NONE = "none"


class Send(enum.StrEnum):
    """What a person says of files that would travel to another machine for the first time."""

    ASK = "ask"
    ALL = "all"
    REST = "rest"  # without secrets and big files


class Lock(enum.StrEnum):
    """What happens to the lockfile of features."""

    UPDATE = "update"  # read where there is one, and written when something in it is new
    WRITE = "write"  # written in any case
    FROZEN = "frozen"  # must be there and match
    IGNORE = "ignore"  # neither read nor written


@dataclasses.dataclass(frozen=True, slots=True)
class UpOptions:
    """`trust`: the user allows what the repository runs on the host. `rebuild`: a new container even if there is one.

    Empty and None mean: as the configuration says.
    """

    trust: bool = False
    agreed: tuple[str, ...] = ()  # sentences of `Claim`s that the user has read and allowed
    rebuild: bool = False
    no_cache: bool = False
    pull: bool = False
    gpus: str = ""
    gpu_via: str = ""
    gpu_missing_refuses: bool = True
    profiles: tuple[str, ...] = ()  # of Compose, beside COMPOSE_PROFILES
    secrets_file: str = ""  # remembered, so that later commands have the secrets too; "" means the one remembered
    secrets: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)  # what it holds
    dotfiles: Dotfiles | None = None  # stands for those of the settings
    hook_limit: float | None = None  # seconds for one lifecycle command; 0: none
    hooks: Hooks = Hooks.ALL
    attach_hook: bool = True
    lock: Lock = Lock.UPDATE
    strict_features: bool = True  # options that a feature does not allow are errors; else they are told
    mounts: tuple[str, ...] = ()
    remote_env: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    classic: bool = False  # builds without BuildKit
    update_uid: bool | None = None  # stands for updateRemoteUserUID where the configuration does not say
    expect_existing: bool = False
    send: Send = Send.ASK


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What `devenv up --dry-run` shows. `create` and `override` are empty while nothing is to be created, or the image
    is not known."""

    key: str
    steps: tuple[Step, ...]
    create: tuple[str, ...] = ()  # words of `docker create`
    override: tuple[str, ...] = ()  # lines of the file that Compose is given after the project's own
    drift: tuple[DriftView, ...] = ()
    notes: tuple[str, ...] = ()


def container_name(target: Target) -> str:
    """`devenv-<folder>-<8 hex>`: the engine lets one container only have it, so that a second `up` cannot make two."""
    return f"devenv-{_sanitised(pathlib.PurePath(target.local_folder).name)}-{target.key[:8]}"


def image_name(target: Target) -> str:
    """What the image of a Dockerfile configuration is called."""
    return f"{container_name(target)}:latest".lower()


def check(target: Target) -> None:
    """One clear answer before anything is made."""
    if not target.configured:
        raise NotFound(
            f"there is no devcontainer.json in {target.local_folder}",
            "`devenv init` writes one from what the project shows",
        )
    if problems := target.unusable:
        raise ConfigError(problems)
    if target.config.kind is Kind.IMAGE and not target.config.image:
        raise ConfigError([target.problem("", "names neither an image nor a Dockerfile", 'add "image" or "build"')])


def reference(target: Target) -> str:
    """The image that the container is created from."""
    return target.config.image or "" if target.config.kind is Kind.IMAGE else image_name(target)


def build_request(target: Target, options: UpOptions, *, log_path: str) -> BuildRequest | None:
    """The build of a Dockerfile configuration; None for an image. Raises `ConfigError` for a missing file."""
    build, written = target.config.build, target.written.build
    if target.config.kind is not Kind.DOCKERFILE or build is None or written is None:
        return None
    folder = pathlib.Path(target.config_file).parent
    file = os.path.normpath(folder / build.dockerfile)
    context = os.path.normpath(folder / build.context)
    missing = []
    if not pathlib.Path(file).is_file():
        missing.append(target.problem(_written_key(target, "dockerfile"), f"there is no file {file}"))
    if not pathlib.Path(context).is_dir():
        missing.append(target.problem(_written_key(target, "context"), f"there is no folder {context}"))
    if missing:
        raise ConfigError(missing)
    _check_target(target, file, build.target)
    # What is not set on this machine is no secret, and an empty value must not steer the builder (HTTP_PROXY).
    secret = {
        name for name, value in written.args.items() if properties.uses_host_variables(value) and build.args[name]
    }
    return BuildRequest(
        context=context,
        dockerfile=file,
        tags=(image_name(target),),
        args={name: value for name, value in build.args.items() if name not in secret},
        secret_args={name: value for name, value in build.args.items() if name in secret},
        target=build.target,
        cache_from=(*build.cache_from, *options.cache_from),
        cache_to=options.cache_to,
        options=build.options,
        no_cache=options.no_cache,
        classic=options.classic,
        pull=options.pull,
        log_path=log_path,
    )


def _check_target(target: Target, file: str, stage: str | None) -> None:
    """A stage that is not there is told where it is named. What another syntax means, only its builder knows."""
    if stage is None:
        return
    try:
        found = dockerfile.parse(pathlib.Path(file).read_text("utf-8", "replace"), file)
        if not found.errors and ("syntax" not in found.directives or found.syntax_version):
            found.stage(stage)
    except OSError:
        return  # the builder tells
    except DockerfileError as error:
        raise ConfigError([target.problem("build.target", error.message, error.hint)]) from error


def _written_key(target: Target, key: str) -> str:
    """Where a property of `build` stands: older files have it at the top."""
    if "dockerFile" not in target.written.raw:
        return f"build.{key}"
    return "dockerFile" if key == "dockerfile" else key


def hook_steps(commands: Sequence[tuple[str, str]]) -> list[Step]:
    """(stage, command as people read it) as steps."""
    return [Step(StepKind.HOOK, f"{stage}: {text}") for stage, text in commands]


def _sanitised(name: str) -> str:
    """For a container's name: [a-zA-Z0-9][a-zA-Z0-9_.-]*; short, so that `docker ps` stays readable."""
    return re.sub(r"[^a-z0-9_.-]+", "-", name.lower()).strip("-._")[:32] or "project"
