"""Bringing debugpy into a container, compiled where that can be done ahead of its first use."""

from __future__ import annotations

import asyncio
import pathlib
import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING

from devenv.debug.bytecode import compile_in_place, compile_mounted
from devenv.debug.cache import DebugpyCache
from devenv.debug.versions import Choice, Interpreter, choose
from devenv.delivery.inspect import collect as collect
from devenv.delivery.inspect import inspect_interpreter
from devenv.delivery.placing import Placing

if TYPE_CHECKING:
    from devenv.link.port import Link


class Delivery(Placing):
    """Places payloads for one environment. Calls may overlap: equal ones share one delivery."""

    def __init__(self, cache: DebugpyCache, payload_dir: pathlib.Path | None) -> None:
        super().__init__(payload_dir)
        self._cache = cache
        self._lock = asyncio.Lock()
        self._interpreters: dict[str, Interpreter] = {}

    async def interpreter(self, link: Link, python: str, *, env: Mapping[str, str], cwd: str) -> Interpreter:
        """As `inspect_interpreter`, remembered; forget with a new object when the container was started again."""
        known = self._interpreters.get(python)
        if known is None:
            known = await inspect_interpreter(link, python, env=env, cwd=cwd)
            self._interpreters[python] = known
        return known

    async def debugpy(self, link: Link, interpreter: Interpreter) -> str:
        """The container folder that holds a fitting `debugpy` package, delivered when it is not there yet."""
        choice = choose(interpreter, self._cache.own)
        async with self._lock:
            return await self._deliver(link, choice)

    async def prepare(self, link: Link, python: str, *, env: Mapping[str, str], cwd: str) -> None:
        """Delivers debugpy for this interpreter ahead of the first debug run, and compiles it.

        Meant for the background after `up`: it halves the time to the first breakpoint and is needed for nothing.
        Safe to repeat. Raises DebugError and LinkError.
        """
        interpreter = await self.interpreter(link, python, env=env, cwd=cwd)
        folder = await self.debugpy(link, interpreter)
        if self.payload_dir is not None:
            await compile_mounted(link, interpreter, folder, self.payload_dir / posixpath.basename(folder), env)
        else:
            await compile_in_place(link, interpreter, folder, env)

    async def _deliver(self, link: Link, choice: Choice) -> str:
        tree = await asyncio.to_thread(self._tree, choice)
        return await self.place(link, tree, tree.name, link_files=True)

    def _tree(self, choice: Choice) -> pathlib.Path:
        # A pure build that was fetched before serves as well, and a host without network is not kept waiting.
        return self._cache.cached(choice) or self._cache.tree(choice)
