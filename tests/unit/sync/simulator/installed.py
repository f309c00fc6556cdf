"""The product's modules, made to call the simulator instead of the operating system."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from devenv.sync import endpoint
from devenv.sync.core import guards
from devenv.sync.side import apply, memory, pack, place, renaming, scan, stage, trash
from tests.unit.sync.simulator.kernel import Kernel, as_os
from tests.unit.sync.simulator.loop import at_once

_MODULES = (apply, memory, pack, place, renaming, scan, stage, trash)
_FEW = 4  # deletions that nobody is asked about: there are only some ten files


@contextlib.contextmanager
def install(kernel: Kernel) -> Iterator[None]:
    """Not for two threads at once."""
    there = as_os(kernel)
    clock = SimpleNamespace(time=kernel.time, monotonic=kernel.time)

    def call(old_folder: int, old: str, new_folder: int, new: str, flags: int) -> None:
        if not kernel.exchanges:
            raise renaming.Unsupported(errno.ENOSYS, "renameat2")
        kernel.renameat2(old_folder, old, new_folder, new, flags)

    saved: list[tuple[Any, str, Any]] = []

    def put(owner: Any, name: str, value: Any) -> None:
        saved.append((owner, name, owner.__dict__.get(name)))
        setattr(owner, name, value)

    for module in _MODULES:
        put(module, "os", there)
        put(module, "open", kernel.fopen)
        if "time" in module.__dict__:
            put(module, "time", clock)
    put(renaming, "_call", call)
    put(renaming, "flush", kernel.flush)
    put(asyncio, "to_thread", at_once)
    put(endpoint, "_to_its_end", at_once)
    put(guards, "FEW_DELETIONS", _FEW)
    try:
        yield
    finally:
        for owner, name, value in reversed(saved):
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
