"""Blocking network work from asyncio, in threads of its own.

Cancelling a task that waits here interrupts the whole client it belongs to: the task goes on at once, the threads end
as `interrupt` says, and nobody waits for one that is still connecting. So one client serves one piece of work.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from devenv.oci.interrupt import Interrupt

T = TypeVar("T")


class NetworkThreads:
    """`async with NetworkThreads(interrupt) as threads: await threads.run(call)`. At most `workers` calls at a time."""

    def __init__(self, interrupt: Interrupt, workers: int = 6) -> None:
        self._interrupt = interrupt
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="oci")

    async def run(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        except asyncio.CancelledError:
            self._interrupt.set()
            raise

    async def __aenter__(self) -> NetworkThreads:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
