"""The exact argument list of `docker create` for a wanted container: what `up --dry-run` shows is executed. Pure.

`runArgs` are passed, not parsed; they are only searched for the few options that would contradict ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from devcontainer import mounts
from devcontainer.mounts import Mount
from devenv.environment import properties, state_volume
from devenv.environment.shape import Shape
from devenv.environment.target import Target


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerPlan:
    """All that `create` needs. `secret_env` holds the values of the `-e NAME` arguments."""

    name: str
    args: tuple[str, ...]
    secret_env: Mapping[str, str] = dataclasses.field(repr=False)
    shape: Shape
    read_only: bool
    host_network: bool


def container_plan(wanted: Shape, name: str, *, image_reference: str = "") -> ContainerPlan:
    """`name` is ours, used unless `runArgs` give another one. `image_reference` stands in for the wanted image."""
    target, merged = wanted.target, wanted.merged
    run_args, secret_env = _run_args(target)
    own_name = option(run_args, "--name")
    args: list[str] = ["--pull", "never"]
    if own_name is None:
        args += ["--name", name]
    for port in target.config.publish:
        args += ["-p", port]
    for text in wanted.workspace_mounts:
        args += ["--mount", text]
    for mount in wanted.mounts:
        args += ["--mount", _mount(mount)]
    args += ["--mount", f"type=volume,source={wanted.state_volume},target={state_volume.MOUNT_POINT}"]
    if wanted.link_mount is not None:
        args += ["--mount", mounts.format(wanted.link_mount)]
    for label, value in wanted.labels.items():
        args += ["--label", f"{label}={value}"]
    for variable, value in wanted.environment.items():
        if variable in wanted.secret and value:  # what is not set on this machine is no secret
            args += ["-e", variable]
            secret_env[variable] = value
        else:
            args += ["-e", f"{variable}={value}"]
    if merged.container_user:
        args += ["-u", merged.container_user]
    args += wanted.additions.args
    args += run_args
    if wanted.init:
        args.append("--init")
    if merged.privileged:
        args.append("--privileged")
    for capability in merged.cap_add:
        args += ["--cap-add", capability]
    for security in merged.security_opt:
        args += ["--security-opt", security]
    command = wanted.command or ("/bin/sh",)
    args += ["--entrypoint", command[0], image_reference or wanted.made.reference, *command[1:]]
    return ContainerPlan(
        name=own_name or name,
        args=tuple(args),
        secret_env=secret_env,
        shape=wanted,
        read_only=has_option(run_args, "--read-only") and option(run_args, "--read-only") != "false",
        host_network=option(run_args, "--network", "--net") == "host",
    )


def _mount(mount: Mount) -> str:
    """Only Compose knows volumes that are external: to the engine every volume that is there is."""
    options = tuple(option for option in mount.options if option[0] != "external")
    return mounts.format(mount if options == mount.options else dataclasses.replace(mount, options=options, text=""))


def has_option(args: Sequence[str], *names: str) -> bool:
    return any(word in names or word.split("=", 1)[0] in names for word in args)


def option(args: Sequence[str], *names: str) -> str | None:
    """The last value of `--name value` or `--name=value`."""
    return next(reversed(option_values(args, *names)), None)


def option_values(args: Sequence[str], *names: str) -> list[str]:
    """All values of `--name value` and `--name=value`, in order."""
    found = []
    for at, word in enumerate(args):
        head, equals, value = word.partition("=")
        if head in names:
            found.append(value if equals else (args[at + 1] if at + 1 < len(args) else ""))
    return found


def _run_args(target: Target) -> tuple[list[str], dict[str, str]]:
    """`runArgs` as they are, except that `-e NAME=<from the client's environment>` becomes `-e NAME`."""
    args: list[str] = []
    secret: dict[str, str] = {}
    for written, word in zip(target.written.run_args, target.config.run_args, strict=True):
        if properties.uses_host_variables(written):
            head, _, rest = word.partition("=")
            if head == "--env" and "=" in rest:
                variable, _, value = rest.partition("=")
                secret[variable] = value
                args.append(f"--env={variable}")
                continue
            if args and args[-1] in ("-e", "--env") and "=" in word:
                secret[head] = rest
                args.append(head)
                continue
        args.append(word)
    return args, secret
