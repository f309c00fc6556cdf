"""What this machine shows of GPUs: device nodes, drivers, CDI specs, the toolkit's hook. Looks, and changes nothing.

It says something about containers only where the engine runs on this machine: `gather` gives None for any other one.
A look costs some file accesses and, where there is `nvidia-smi`, two runs of it: seconds where the driver has to be
loaded first, hence the time limit.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from devenv.engine.docker_cli import end
from devenv.engine.port import EngineInfo
from devenv.gpu import cdi, engine_facts, nvidia_smi
from devenv.gpu.cards import AMD, RenderNode
from devenv.gpu.cdi import CdiDevices, CdiError, Spec
from devenv.gpu.nvidia_smi import Smi

LIMIT = 10.0  # seconds for one run of nvidia-smi

HOOKS = ("nvidia-container-runtime-hook", "nvidia-container-toolkit")
"""The program that an engine looks for before it offers `--gpus`; the second is its name in old toolkits."""

_PROGRAM_FOLDERS = ("/usr/bin", "/usr/local/bin", "/usr/local/nvidia/bin", "/bin", "/usr/lib/wsl/lib")
_CARD_NODE = re.compile(r"nvidia[0-9]+\Z")
_DRIVER = re.compile(r"\b([0-9]{3,}\.[0-9]+(?:\.[0-9]+)?)\b")

Runner = Callable[[Sequence[str]], Coroutine[Any, Any, tuple[int, str]]]
"""Runs a program: (exit status, stdout and stderr). Raises `OSError` when it cannot be started."""


@dataclasses.dataclass(frozen=True, slots=True)
class HostDevices:
    """The machine as it was at one moment. Empty fields: not there."""

    nvidia_nodes: tuple[str, ...] = ()  # /dev/nvidia0, /dev/nvidia1: one per card
    nvidia_driver: str = ""  # version of the loaded kernel module
    smi: Smi = dataclasses.field(default_factory=Smi)
    hook: str = ""  # path of one of `HOOKS`
    kfd: bool = False  # /dev/kfd, AMD's compute interface
    kfd_gid: int = 0
    render: tuple[RenderNode, ...] = ()
    dxg: bool = False  # /dev/dxg: GPUs of the Windows host (WSL)
    wsl_cuda: bool = False  # the Windows host's CUDA driver
    cdi: CdiDevices = dataclasses.field(default_factory=CdiDevices)

    @property
    def amd(self) -> tuple[RenderNode, ...]:
        """Render nodes of AMD cards; those of unknown vendor count while /dev/kfd is there, which only AMD has."""
        return tuple(node for node in self.render if node.vendor in (AMD, 0)) if self.kfd else ()

    @property
    def amd_only(self) -> bool:
        """Whether "card 0" can only mean an AMD one."""
        return bool(self.amd) and not self.nvidia_shown and not self.cdi.of(cdi.NVIDIA_GPU)

    @property
    def nvidia_shown(self) -> bool:
        """Whether anything says that NVIDIA hardware is here, working or not."""
        return bool(self.nvidia_nodes or self.nvidia_driver or self.smi.cards or (self.dxg and self.wsl_cuda))


async def run_program(argv: Sequence[str]) -> tuple[int, str]:
    """Cancelled: the program is ended first."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C"},
        start_new_session=True,
    )
    try:
        out, _ = await process.communicate()
    except BaseException:
        await end(process)
        raise
    return process.returncode or 0, out.decode("utf-8", "replace")


async def gather(
    info: EngineInfo,
    *,
    root: pathlib.Path = pathlib.Path("/"),
    run: Runner = run_program,
    limit: float = LIMIT,
    path: str | None = None,
    kernel: str | None = None,
) -> HostDevices | None:
    """Devices of this machine, or None when the engine is elsewhere (`engine_facts.on_this_machine`).

    `root`, `path` (a PATH, below `root`) and `kernel` stand in for the machine's own. `run` gets the program by its
    path below `root`. Never raises because of what it finds.
    """
    if not engine_facts.on_this_machine(info, os.uname().release if kernel is None else kernel):
        return None
    folders = (*(os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep), *_PROGRAM_FOLDERS)
    smi = await _smi(_program(root, folders, ("nvidia-smi",)), root, run, limit)  # it makes device nodes that lack
    found = await asyncio.to_thread(look, root, folders, engine_facts.cdi_folders(info))
    return dataclasses.replace(found, smi=smi)


def look(root: pathlib.Path, program_folders: Sequence[str], cdi_folders: Sequence[str]) -> HostDevices:
    """All but `nvidia-smi`: reads files below `root`."""
    dev = root / "dev"
    return HostDevices(
        nvidia_nodes=tuple(f"/dev/{name}" for name in _numbered(dev, _CARD_NODE)),
        nvidia_driver=_driver(root),
        hook=_program(root, program_folders, HOOKS),
        kfd=(dev / "kfd").exists(),
        kfd_gid=_gid(dev / "kfd"),
        render=tuple(_render(root, name) for name in _numbered(dev / "dri", re.compile(r"renderD[0-9]+\Z"))),
        dxg=(dev / "dxg").exists(),
        wsl_cuda=(root / "usr/lib/wsl/lib/libcuda.so.1").exists(),
        cdi=read_cdi(root, cdi_folders),
    )


def read_cdi(root: pathlib.Path, folders: Sequence[str]) -> CdiDevices:
    """The specs in `folders` (paths of the machine), read below `root`. A file that cannot be used is a trouble."""
    specs: list[list[Spec]] = []
    troubles: list[str] = []
    for folder in folders:
        here: list[Spec] = []
        for file in _spec_files(root, folder, troubles):
            try:
                here.append(cdi.parse(file.read_text(encoding="utf-8"), f"{folder}/{file.name}"))
            except CdiError as error:
                troubles.append(f"{folder}/{file.name} {error}")
            except (OSError, UnicodeError) as error:
                troubles.append(f"{folder}/{file.name} cannot be read: {getattr(error, 'strerror', None) or error}")
        specs.append(here)
    needed = {path for here in specs for spec in here for paths in spec.needs.values() for path in paths}
    present = {path for path in needed if _exists(root, path)}
    return cdi.resolve(folders, specs, present, troubles)


async def _smi(program: str, root: pathlib.Path, run: Runner, limit: float) -> Smi:
    if not program:
        return Smi()
    called = str(root / program.lstrip("/"))
    try:
        async with asyncio.timeout(limit):
            code, table = await run((called, *nvidia_smi.QUERY))
            listed, listing = await run((called, *nvidia_smi.LIST))
    except TimeoutError:
        return Smi(program, None, (), (f"nvidia-smi gave no answer within {limit:.0f} seconds",))
    except OSError as error:
        return Smi(program, 126, (), (f"nvidia-smi cannot be started: {error.strerror}",))
    return nvidia_smi.parse(program, code or listed, table, listing)


def _program(root: pathlib.Path, folders: Sequence[str], names: Sequence[str]) -> str:
    """The first of the programs, as a path of the machine; "" when there is none."""
    for name in names:
        for folder in folders:
            place = root / folder.lstrip("/") / name
            if folder.startswith("/") and place.is_file() and os.access(place, os.X_OK):
                return f"{folder.rstrip('/')}/{name}"
    return ""


def _numbered(folder: pathlib.Path, pattern: re.Pattern[str]) -> list[str]:
    """Names that match, by their number."""
    try:
        names = [entry.name for entry in folder.iterdir() if pattern.match(entry.name)]
    except OSError:
        return []
    return sorted(names, key=lambda name: int(re.sub(r"\D", "", name)))


def _driver(root: pathlib.Path) -> str:
    """From `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05 ...`."""
    match = _DRIVER.search(_text(root / "proc/driver/nvidia/version"))
    return match[1] if match else ""


def _render(root: pathlib.Path, name: str) -> RenderNode:
    device = root / "sys/class/drm" / name / "device"
    vendor, memory = _text(device / "vendor").strip(), _text(device / "mem_info_vram_total").strip()
    return RenderNode(
        path=f"/dev/dri/{name}",
        gid=_gid(root / "dev/dri" / name),
        vendor=int(vendor, 16) if re.match(r"0x[0-9a-fA-F]+\Z", vendor) else 0,
        memory=int(memory) if memory.isdigit() else None,
    )


def _spec_files(root: pathlib.Path, folder: str, troubles: list[str]) -> list[pathlib.Path]:
    try:
        entries = sorted((root / folder.lstrip("/")).iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        troubles.append(f"{folder} cannot be read: {error.strerror}")
        return []
    for entry in entries:
        if entry.suffix == ".yml":
            troubles.append(f"{folder}/{entry.name} is not read by engines: name it .yaml")
    return [entry for entry in entries if entry.suffix in (".yaml", ".json")]


def _exists(root: pathlib.Path, path: str) -> bool:
    """A path that may not be looked at (a folder of another user) counts as there: the engine is root."""
    try:
        (root / path.lstrip("/")).stat()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _gid(path: pathlib.Path) -> int:
    try:
        return path.stat().st_gid
    except OSError:
        return 0


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
