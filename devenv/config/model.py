"""The shape of devenv.yaml. The published JSON Schema is generated from these types, so each says what it means.

Keys are written with hyphens in the file (`just-my-code`). Paths are relative to the folder of the file unless a
description says otherwise. None means that the file does not say and the user of the value decides.
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=1, le=65535)]
Text = Annotated[str, Meta(min_length=1)]


class _Section(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab", omit_defaults=True
):
    pass


class ServiceKind(enum.StrEnum):
    JUPYTER = "jupyter"
    TENSORBOARD = "tensorboard"
    COMMAND = "command"


class AutoForward(enum.StrEnum):
    """What happens when something begins to listen on a port."""

    NOTIFY = "notify"
    OPEN_BROWSER = "open-browser"
    OPEN_BROWSER_ONCE = "open-browser-once"
    SILENT = "silent"
    IGNORE = "ignore"


class RunDebugConfig(_Section, frozen=True, kw_only=True):
    """How a run behaves under `devenv debug`."""

    wait: Annotated[bool, Meta(description="Wait for a debugger before the first line runs.")] = True
    just_my_code: Annotated[bool | None, Meta(description="Step over library code; default: debug.just-my-code.")] = (
        None
    )
    subprocess: Annotated[bool, Meta(description="Debug child processes too.")] = True


class RunConfig(_Section, frozen=True, kw_only=True):
    """One thing to run, by exactly one of script, module or command."""

    script: Annotated[Text | None, Meta(description="A Python file, relative to the project.")] = None
    module: Annotated[Text | None, Meta(description="A Python module, as in `python -m`.")] = None
    command: Annotated[
        Text | Annotated[list[str], Meta(min_length=1)] | None,
        Meta(description="Any program: a text runs in a shell, a list is executed as it is."),
    ] = None
    args: Annotated[list[str], Meta(description="Arguments; numbers and words like `yes` stay as written.")] = []
    env: Annotated[dict[str, str], Meta(description="Environment variables; values stay as written.")] = {}
    cwd: Annotated[str, Meta(description="Working folder, relative to the project.")] = "."
    python: Annotated[Text | None, Meta(description="The interpreter, a path in the container.")] = None
    debug: RunDebugConfig = RunDebugConfig()


class ServiceConfig(_Section, frozen=True, kw_only=True):
    """Something that runs beside the work: a notebook server, TensorBoard, an API."""

    kind: ServiceKind
    command: Annotated[
        Text | Annotated[list[str], Meta(min_length=1)] | None,
        Meta(description="For kind `command`: a text runs in a shell, a list is executed as it is."),
    ] = None
    port: Annotated[Port | None, Meta(description="The port in the container.")] = None
    autostart: Annotated[bool, Meta(description="Start it with `devenv up`.")] = False
    root: Annotated[str, Meta(description="For `jupyter`: the folder it shows.")] = "."
    logdir: Annotated[Text | None, Meta(description="For `tensorboard`: where the runs are logged.")] = None
    args: Annotated[list[str], Meta(description="Further arguments for the program.")] = []
    env: Annotated[dict[str, str], Meta(description="Environment variables; values stay as written.")] = {}
    cwd: Annotated[str, Meta(description="Working folder, relative to the project.")] = "."


class PortConfig(_Section, frozen=True, kw_only=True):
    """What is said about one port of the container."""

    label: Annotated[str, Meta(description="A name for people.")] = ""
    host_port: Annotated[Port | None, Meta(description="The port to use on the host.")] = None
    protocol: Annotated[
        Literal["tcp", "http", "https"], Meta(description="http and https give an address to open.")
    ] = "tcp"
    auto_forward: Annotated[
        AutoForward | None, Meta(description="When something begins to listen; default: as devcontainer.json has it.")
    ] = None
    require_local: Annotated[bool, Meta(description="Refuse another host port when this one is taken.")] = False


class PortsConfig(_Section, frozen=True, kw_only=True):
    """Ports by their number in the container, beside settings for all of them."""

    configured: dict[Port, PortConfig] = {}
    ignore: Annotated[list[Port], Meta(description="Ports that are never forwarded by themselves.")] = []
    same_user: Annotated[bool, Meta(description="Refuse connections of other users of this host.")] = True


class TestConfig(_Section, frozen=True, kw_only=True):
    """What `devenv test` gives to pytest."""

    __test__ = False  # for pytest: not a class of tests

    args: Annotated[list[str], Meta(description="Arguments that are always given.")] = []
    paths: Annotated[list[str], Meta(description="What to test when nothing is named.")] = []
    ignore: Annotated[list[str], Meta(description="Patterns, as in .gitignore, that --watch does not look at.")] = []
    env: Annotated[dict[str, str], Meta(description="Environment variables; values stay as written.")] = {}
    python: Annotated[Text | None, Meta(description="The interpreter, a path in the container.")] = None


class DebugConfig(_Section, frozen=True, kw_only=True):
    """The debugger of this project."""

    port: Annotated[
        Port | None, Meta(description="The host port of the debugger; default: made from the project's name.")
    ] = None
    just_my_code: Annotated[bool, Meta(description="Step over library code.")] = True


Duration = Annotated[str, Meta(pattern=r"^[0-9]+[smh]?$")]


class ContainerConfig(_Section, frozen=True, kw_only=True):
    """What devenv adds to a container by itself, where the project wants it otherwise. Counts when one is made."""

    gpus: Annotated[
        Text | None,
        Meta(description="Which GPUs: all, none, a count, indexes or UUIDs (0,2), a CDI name (vendor.com/class=0)."),
    ] = None
    gpu_via: Annotated[
        Literal["cdi", "gpus", "runtime", "amd"] | None, Meta(description="The way to wire them; default: the best.")
    ] = None
    shm_size: Annotated[Text | None, Meta(description="Size of /dev/shm, for example 8gb.")] = None
    ulimits: Annotated[
        dict[str, str],
        Meta(description="Limits by name, soft or soft:hard or unlimited; an empty text takes a default away."),
    ] = {}
    ipc: Annotated[Text | None, Meta(description="IPC namespace: private, shareable, host, container:NAME.")] = None
    init: Annotated[bool | None, Meta(description="An init as the first process, which reaps orphans.")] = None
    hook_timeout: Annotated[
        Duration | None, Meta(description="The longest a lifecycle command may take, for example 30m; 0: no limit.")
    ] = None


class DotfilesConfig(_Section, frozen=True, kw_only=True):
    """A repository of personal settings, cloned into the container once."""

    repository: Annotated[Text, Meta(description="An address for git clone, or owner/name on GitHub.")]
    target: Annotated[Text, Meta(description="Where it is cloned to in the container.")] = "~/dotfiles"
    install: Annotated[
        Text | None, Meta(description="The command to run there; default: the usual script, else links to the files.")
    ] = None


OutputPattern = Annotated[str, Meta(pattern=r"^(?!\*\*)[^!#]", examples=["runs/", "reports/*.html"])]
"""It begins at the project's folder: one that fits anywhere would mean looking into every ignored folder."""

Size = Annotated[
    str,
    Meta(pattern=r"^[0-9]+(\.[0-9]+)? ?([kKmMgGtT]([iI]?[bB])?|[bB])?$", examples=["100MB", "2GB"]),
]
"""Powers of two, as for `shm-size`; `devenv.config.sizes` reads it."""


class OutputConfig(_Section, frozen=True, kw_only=True):
    """Results that only come back from the container."""

    pattern: Annotated[
        OutputPattern, Meta(description="What they are called, as in .gitignore, from the project's folder on.")
    ]
    max: Annotated[Size | None, Meta(description="Larger files stay in the container; default: sync.max-file.")] = None


class SyncConfig(_Section, frozen=True, kw_only=True):
    """How the project's files are kept the same in a container that cannot mount them."""

    mode: Annotated[
        Literal["two-way-safe", "two-way-prefer-host", "host-to-container", "container-to-host"],
        Meta(
            description="Which changes are carried over. two-way-safe: all, and what both sides changed differently "
            "stays as it is and is told; two-way-prefer-host: the host's wins there; else the receiving side's stay."
        ),
    ] = "two-way-safe"
    ignore: Annotated[
        list[Text],
        Meta(description="Patterns, as in .gitignore, of what stays where it is. .devenvignore is stronger."),
    ] = []
    outputs: Annotated[
        list[OutputPattern | OutputConfig],
        Meta(description="What only comes back from the container, even where .gitignore hides it."),
    ] = []
    max_file: Annotated[Size, Meta(description="Larger files stay where they are, and are told.")] = "2GB"
    max_files: Annotated[int, Meta(ge=1, le=2_000_000, description="More files than this are asked about first.")] = (
        200_000
    )
    git: Annotated[
        Literal["exclude", "host-to-container"],
        Meta(description="Whether the container gets a copy of .git; nothing of it ever comes back."),
    ] = "exclude"
    on: Annotated[
        Literal["remote", "always", "never"],
        Meta(
            description="remote: where the engine cannot mount the folder; always: also where it can; never: the "
            "folder is mounted, wherever the engine is."
        ),
    ] = "remote"


class DevenvConfig(_Section, frozen=True, kw_only=True):
    """devenv.yaml: run configurations, services, ports, tests and debugging of a project."""

    version: Annotated[Literal[1], Meta(description="The version of this format.")] = 1
    runs: Annotated[dict[str, RunConfig], Meta(description="Run configurations by name.")] = {}
    services: Annotated[dict[str, ServiceConfig], Meta(description="Services by name.")] = {}
    ports: PortsConfig = PortsConfig()
    test: TestConfig = TestConfig()
    debug: DebugConfig = DebugConfig()
    container: ContainerConfig = ContainerConfig()
    dotfiles: DotfilesConfig | None = None
    sync: SyncConfig = SyncConfig()
