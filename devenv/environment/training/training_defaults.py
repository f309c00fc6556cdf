"""What training needs of a container and people forget: shared memory, limits of processes, an init, private IPC. Pure.

Each is a value with one visible line. Whoever says something himself wins, and the line says who: options of the
configuration's `runArgs` or keys of its Compose service, then devenv's settings (`container:`), then these defaults.

* **Shared memory**: the engine's 64 MiB end a DataLoader with workers ("bus error") and NCCL. Half of the engine's
  memory, at most 8 GiB: a ceiling, used only by what is put there.
* **Limits**: `memlock` without limit, for pinned host memory and RDMA. `stack` 64 MiB: deep recursion in compilers and
  tokenizers; the hard limit stays open, so that a program can ask for more. `nofile` 65536, which is enough for workers
  that hand tensors over as file descriptors; the hard limit is 524288 (that of systemd and of Docker 29), because with
  the 10^9 of older engines everything that closes all descriptors one by one takes minutes. An engine that may not
  raise limits (`engine_limits`) cannot start a container that asks for more than it has itself: there the defaults are
  lowered to that, or left out where it is not known. What the project asks for by name is passed on as it is. Podman
  adds the highest `nofile` and `nproc` that there are to any limit that is asked for: one that may not raise limits is
  therefore told its own `nproc` as well.
* **Number of processes**: no limit, as with Docker. Podman allows 2048 processes and threads, which a training with
  many workers has.
* **Init**: reaps the orphans of DataLoaders and of killed runs.
* **IPC** stays private. `--ipc=host` is advised for the sake of a large /dev/shm, which the container has here anyway;
  it would let every process of the host write into the training's memory, and leave its segments behind when it is
  killed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from devcontainer.jsonc import JsonValue
from devenv.engine.port import EngineInfo
from devenv.environment.arguments import has_option, option
from devenv.environment.training.container_settings import (
    BadSetting,
    ContainerSettings,
    check_ipc,
    limit,
    size_in_bytes,
)
from devenv.environment.training.engine_limits import EngineLimits

_MIB = 1024**2
_GIB = 1024**3
SHM_MOST = 8 * _GIB
SHM_LEAST = 64 * _MIB

_SHM = "/dev/shm"

ULIMITS: Mapping[str, str] = {"memlock": "-1:-1", "stack": f"{64 * _MIB}:-1", "nofile": "65536:524288"}
_OF_PODMAN: Mapping[str, str] = {**ULIMITS, "nproc": "-1:-1"}


@dataclasses.dataclass(frozen=True, slots=True)
class Default:
    """One thing, decided. `args` and `compose` are empty where nothing is added."""

    line: str
    args: tuple[str, ...] = ()
    compose: Mapping[str, JsonValue] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingDefaults:
    """`says_init` is for who decides about the init with the rest of the container: None where nobody here says."""

    shm: Default
    ulimits: Default
    init: Default
    ipc: Default
    says_init: bool | None
    processes: Default | None = None  # None where the engine has no limit of its own

    @property
    def args(self) -> tuple[str, ...]:
        """Words for `docker create`, without those of the init: whoever makes the container decides about that."""
        return (*self.shm.args, *self.ulimits.args, *self._processes.args, *self.ipc.args)

    @property
    def compose(self) -> dict[str, JsonValue]:
        """Keys of a Compose service, without `init`."""
        return {**self.shm.compose, **self.ulimits.compose, **self._processes.compose, **self.ipc.compose}

    @property
    def lines(self) -> tuple[str, ...]:
        lines = (self.shm.line, self.ulimits.line, self._processes.line, self.init.line, self.ipc.line)
        return tuple(line for line in lines if line)

    @property
    def _processes(self) -> Default:
        return self.processes or Default("")


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What the configuration itself says: `runArgs` of a single container, or the service of a Compose project."""

    run_args: Sequence[str] = ()
    service: Mapping[str, Any] | None = None  # Compose's own object
    mount_targets: frozenset[str] = frozenset()  # of the configuration's mounts
    init: bool | None = None  # the merged property `init`, None where no file has it

    def ipc(self) -> tuple[str, str]:
        """(mode, who says it); "" where nobody does."""
        if self.service is not None:
            return str(self.service.get("ipc") or ""), "the Compose service"
        return option(self.run_args, "--ipc") or "", "runArgs"


def decide(
    settings: ContainerSettings, info: EngineInfo, said: Said, limits: EngineLimits | None = None
) -> TrainingDefaults:
    """`limits` is what the engine may give, None where nobody has looked. Raises `BadSetting`."""
    init, says_init = _init(settings, said)
    return TrainingDefaults(
        shm=_shm(settings, info, said),
        ulimits=_ulimits(settings, info, limits or EngineLimits(may_raise=not info.rootless), said),
        init=init,
        ipc=_ipc(settings, said),
        says_init=says_init,
        processes=_processes(said) if info.is_podman else None,
    )


def _shm(settings: ContainerSettings, info: EngineInfo, said: Said) -> Default:
    mode, who = said.ipc()
    mode, who = (mode, who) if mode else (settings.ipc, "container.ipc")
    if mode.startswith(("host", "container:", "service:")):
        return Default(f"shared memory: that of {mode} ({who})")
    if written := _written_shm(said):
        return Default(f"shared memory: {written}")
    if settings.shm_size:
        size, by = size_in_bytes(settings.shm_size), "container.shm-size"
    else:
        half = info.memory // 2 if info.memory else _GIB
        size = max(SHM_LEAST, min(SHM_MOST, half)) // _MIB * _MIB
        by = f"devenv's default; set container.shm-size or {_place(said, 'runArgs --shm-size', 'shm_size')}"
    shown = f"{size // _MIB}m" if size % _MIB == 0 else str(size)
    return Default(f"shared memory: {_human(size)} ({by})", (f"--shm-size={shown}",), {"shm_size": size})


def _written_shm(said: Said) -> str:
    """Who gives /dev/shm its size, and which; "" when nobody does."""
    if said.service is not None:
        if said.service.get("shm_size"):
            return f"{_readable(said.service['shm_size'])} (the Compose service: shm_size)"
        mounts = [*_targets(said.service.get("volumes")), *_targets(said.service.get("tmpfs"))]
        if _SHM in mounts:
            return "a mount of the Compose service"
    elif has_option(said.run_args, "--shm-size"):
        return f"{_readable(option(said.run_args, '--shm-size'))} (runArgs --shm-size)"
    elif any(_SHM in option_mounts for option_mounts in _mounted(said.run_args)):
        return "a mount of runArgs"
    return "a mount of the configuration" if _SHM in said.mount_targets else ""


def _ulimits(settings: ContainerSettings, info: EngineInfo, engine: EngineLimits, said: Said) -> Default:
    defaults = _OF_PODMAN if info.is_podman and not engine.may_raise else ULIMITS
    wanted = {name: text for name, usual in defaults.items() if (text := _possible(name, usual, engine))}
    asked = {name: text for name, text in settings.ulimits.items() if text.strip()}
    for name in set(settings.ulimits) - set(asked):
        limit(name, "0")  # a name that is none is told, even where it takes something away
        wanted.pop(name, None)
    wanted.update(asked)
    limits = {name: limit(name, text) for name, text in wanted.items()}
    theirs = _written_limits(said)
    ours = {name: values for name, values in limits.items() if name not in theirs}
    parts = [
        f"{name} {_shown_limit(values[0])}{' (container.ulimits)' if name in asked else ''}"
        for name, values in ours.items()
    ]
    who = "the Compose service" if said.service is not None else "runArgs"
    parts += [f"{name} {text} ({who})" for name, text in theirs.items()]
    if any(name not in asked for name in ours):
        place = _place(said, "runArgs --ulimit", "ulimits")
        parts.append(f"devenv's defaults unless named; set container.ulimits or {place}")
    if not engine.may_raise:
        parts.append("the engine may not raise limits above its own")
    args = [f"--ulimit={name}={soft}:{hard}" for name, (soft, hard) in ours.items()]
    compose: dict[str, JsonValue] = {name: {"soft": soft, "hard": hard} for name, (soft, hard) in ours.items()}
    return Default(
        f"limits: {', '.join(parts) or 'those of the engine'}", tuple(args), {"ulimits": compose} if ours else {}
    )


def _possible(name: str, usual: str, engine: EngineLimits) -> str:
    """The default of one limit, as far as the engine can give it; "" when that is not known."""
    if engine.may_raise:
        return usual
    if name not in engine.hard:
        return ""
    most, (soft, hard) = engine.hard[name], limit(name, usual)
    if most == -1:
        return usual
    return f"{most if soft == -1 else min(soft, most)}:{most if hard == -1 else min(hard, most)}"


def _processes(said: Said) -> Default:
    if said.service is not None:
        limits: Any = said.service
        for key in ("deploy", "resources", "limits"):
            limits = limits.get(key) or {}
        if written := said.service.get("pids_limit") or limits.get("pids"):
            return Default(f"processes: at most {written} (the Compose service)")
    elif (written := option(said.run_args, "--pids-limit")) is not None:
        return Default(f"processes: at most {written} (runArgs --pids-limit)")
    place = _place(said, "runArgs --pids-limit", "pids_limit")
    line = f"processes: any number (devenv's default; Podman's is 2048 with their threads; set {place})"
    return Default(line, ("--pids-limit=-1",), {"pids_limit": -1})


def _init(settings: ContainerSettings, said: Said) -> tuple[Default, bool | None]:
    """(the decision, what to tell the maker of the container): its own rule (`shape`) stands where nobody says."""
    written, who = said.init, '"init"'
    if said.service is not None and said.service.get("init") is not None:
        written, who = bool(said.service["init"]), "the Compose service"
    elif said.service is None and has_option(said.run_args, "--init"):
        written, who = option(said.run_args, "--init") != "false", "runArgs"
    if written is not None:
        return Default(f"init: {_yes(written)} ({who})"), written
    if settings.init is not None:
        words = ("--init",) if settings.init else ("--init=false",)
        return Default(f"init: {_yes(settings.init)} (container.init)", words, {"init": settings.init}), settings.init
    place = _place(said, '"init"', "init")
    line = f"init: yes, unless the container keeps its own command (devenv's default; set container.init or {place})"
    return Default(line, ("--init",), {"init": True}), None


def _ipc(settings: ContainerSettings, said: Said) -> Default:
    mode, who = said.ipc()
    if mode:
        return Default(f"IPC: {mode} ({who})")
    if settings.ipc:
        check_ipc(settings.ipc, composed=said.service is not None)
        return Default(f"IPC: {settings.ipc} (container.ipc)", (f"--ipc={settings.ipc}",), {"ipc": settings.ipc})
    place = _place(said, "runArgs --ipc", "ipc")
    return Default(f"IPC: private, /dev/shm is large enough without the host's (set container.ipc or {place})")


def _written_limits(said: Said) -> dict[str, str]:
    if said.service is not None:
        written = said.service.get("ulimits")
        return {str(n): _limit_of_service(v) for n, v in written.items()} if isinstance(written, Mapping) else {}
    found: dict[str, str] = {}
    words = list(said.run_args)
    for at, word in enumerate(words):
        head, equals, value = word.partition("=")
        if head == "--ulimit":
            name, _, text = (value if equals else (words[at + 1] if at + 1 < len(words) else "")).partition("=")
            found[name] = text
    return found


def _limit_of_service(value: Any) -> str:
    return f"{value.get('soft')}:{value.get('hard')}" if isinstance(value, Mapping) else str(value)


def _mounted(args: Sequence[str]) -> list[list[str]]:
    """The places that options of `docker create` mount something at."""
    found: list[list[str]] = []
    for at, word in enumerate(args):
        head, equals, value = word.partition("=")
        value = value if equals else (args[at + 1] if at + 1 < len(args) else "")
        if head in ("-v", "--volume", "--tmpfs"):
            found.append(value.split(":"))
        elif head == "--mount":
            fields = (field.partition("=") for field in value.split(","))
            found.append([target for key, _, target in fields if key in ("target", "dst", "destination")])
    return found


def _targets(entries: Any) -> list[str]:
    """Of a service's `volumes` and `tmpfs`: objects, or texts as they are written."""
    listed = [entries] if isinstance(entries, str) else entries
    found: list[str] = []
    for entry in listed if isinstance(listed, list) else ():
        found += [str(entry.get("target"))] if isinstance(entry, Mapping) else str(entry).split(":")
    return found


def _place(said: Said, single: str, composed: str) -> str:
    return f"{composed} of the Compose service" if said.service is not None else single


def _readable(value: Any) -> str:
    """A size as somebody else wrote it: in GiB if it can be read, else as it is."""
    try:
        return _human(size_in_bytes(str(value)))
    except BadSetting:
        return str(value)


def _human(size: int) -> str:
    return f"{size / _GIB:.1f} GiB" if size >= _GIB else f"{size / _MIB:.0f} MiB"


def _shown_limit(soft: int) -> str:
    if soft == -1:
        return "unlimited"
    return f"{soft // _MIB} MiB" if soft >= _MIB and soft % _MIB == 0 else str(soft)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
