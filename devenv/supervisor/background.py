"""Tasks that belong to an object and live as long as it does. None is forgotten: each is named, logged and ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("devenv.supervisor")


class Background:
    """Owns tasks. A failing task is logged with its name and harms no other one."""

    def __init__(self, context: str) -> None:
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guard(work, name), name=f"{self._context} {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guard(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("[%s] %s failed", self._context, name)

    async def close(self) -> None:
        """Cancels what is left and waits for its end."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
