"""The product's modules, made to call the simulator instead of the operating system."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from devenv.sync import endpoint, session, side
from devenv.sync.core import guards
from devenv.sync.endpoint import LocalEndpoint
from devenv.sync.side import renaming, serve
from tests.unit.sync.simulator.driven import at_once, in_turn
from tests.unit.sync.simulator.kernel import Kernel
from tests.unit.sync.simulator.system import as_os

_APART = ("ears", "main", "serve", "watch")  # streams, signals and inotify: nothing of the folder
_MODULES = [
    importlib.import_module(f"{side.__name__}.{module.name}")
    for module in pkgutil.iter_modules(side.__path__)
    if module.name not in _APART
]
_SEVERAL = 3  # deletions that are not begun with while somebody writes
_FEW = 4  # deletions that nobody is asked about: there are only some ten files


class _Installed:
    """What the modules see while `simulated` lasts. One kernel follows the other in it: the objects stay the same, as
    Python forgets what it knows of a module's code whenever a name comes or goes there."""

    def __init__(self) -> None:
        self.lasts = False
        self.os = SimpleNamespace()
        self.clock = SimpleNamespace()
        self.kernel: Kernel | None = None

    def use(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.os.__dict__.update(as_os(kernel).__dict__)
        self.clock.time = self.clock.monotonic = kernel.time
        renaming.flush = kernel.flush
        for module in _MODULES:
            module.open = kernel.fopen  # type: ignore[attr-defined]

    def renameat2(self, old_folder: int, old: str, new_folder: int, new: str, flags: int) -> None:
        assert self.kernel is not None
        if not self.kernel.exchanges:
            raise renaming.Unsupported(errno.ENOSYS, "renameat2")
        self.kernel.renameat2(old_folder, old, new_folder, new, flags)


_INSTALLED = _Installed()
_STREAMS = SimpleNamespace(
    read=lambda process, size: process.read(size), write=lambda process, data: process.write(data)
)


_able: dict[tuple[type, Any], bool] = {}


def _isinstance(thing: object, kind: Any) -> bool:
    """Of a protocol Python looks at all names, each time."""
    known = _able.get((type(thing), kind))
    if known is None:
        known = _able[type(thing), kind] = isinstance(thing, kind)
    return known


async def _alone(self: LocalEndpoint, function: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
    """In the place of a call that waits for others."""
    return function(*args, **named)


class _Unhurried:
    """Of what it brings to the disk nobody may think that it is durable."""

    def __init__(self, folder: int) -> None:
        pass

    def __enter__(self) -> _Unhurried:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wrote(self, size: int) -> None:
        pass


@contextlib.contextmanager
def simulated() -> Iterator[None]:
    """Around many schedules, of which each is short. Not for two threads at once."""
    if _INSTALLED.lasts:
        yield
        return
    saved: list[tuple[Any, str, Any]] = []

    def put(owner: Any, name: str, value: Any) -> None:
        saved.append((owner, name, owner.__dict__.get(name)))
        setattr(owner, name, value)

    for module in _MODULES:
        put(module, "os", _INSTALLED.os)
        put(module, "open", None)
        if "time" in module.__dict__:
            put(module, "time", _INSTALLED.clock)
    put(serve, "os", _STREAMS)
    put(serve, "Flusher", _Unhurried)
    put(serve, "select", SimpleNamespace(select=lambda sources, *_: ([each for each in sources if each.waits], [], [])))
    put(renaming, "_call", _INSTALLED.renameat2)
    put(renaming, "flush", None)
    put(asyncio, "to_thread", at_once)
    put(asyncio, "gather", in_turn)
    put(endpoint, "_to_its_end", at_once)
    put(LocalEndpoint, "_call", _alone)
    put(session, "isinstance", _isinstance)
    put(guards, "FEW_DELETIONS", _FEW)
    put(session, "SEVERAL", _SEVERAL)
    _INSTALLED.lasts = True
    try:
        yield
    finally:
        _INSTALLED.lasts = False
        _INSTALLED.kernel = None
        _INSTALLED.os.__dict__.clear()
        _INSTALLED.clock.__dict__.clear()
        for owner, name, value in reversed(saved):
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


@contextlib.contextmanager
def install(kernel: Kernel) -> Iterator[None]:
    """This is the kernel until the next one is installed."""
    with simulated():
        _INSTALLED.use(kernel)
        yield
