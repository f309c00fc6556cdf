"""Work that several clients share: who leaves, who comes while it ends, and what each of them is told."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from devenv.errors import Interrupted
from devenv.supervisor.operation import Operation, Telling


class Client:
    """A connection that lives until `leave`."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self._gone = asyncio.Event()
        self.connection: Any = self

    def send(self, message: Any) -> None:
        self.heard.append(message)

    async def wait_gone(self) -> None:
        await self._gone.wait()

    def leave(self) -> None:
        self._gone.set()


class Work:
    """Goes on until it is let; cancelled, it needs a while to clean up."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.cleaned = asyncio.Event()
        self.begun = asyncio.Event()

    async def __call__(self, telling: Telling) -> str:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            await self.cleaned.wait()
            raise
        return "done"


async def test_one_of_two_clients_leaves_and_the_other_gets_the_result() -> None:
    work, one, other = Work(), Client(), Client()
    operation = Operation("up", work)
    first = asyncio.ensure_future(operation.join(one.connection))
    second = asyncio.ensure_future(operation.join(other.connection))
    await work.begun.wait()
    one.leave()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert operation.running and not operation.ending
    work.go.set()
    assert await second == "done"


async def test_who_comes_while_it_ends_waits_and_does_not_join() -> None:
    work, one = Work(), Client()
    operation = Operation("up", work)
    first = asyncio.ensure_future(operation.join(one.connection))
    await work.begun.wait()
    one.leave()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert operation.running and operation.ending
    waiting = asyncio.ensure_future(operation.ended())
    await asyncio.sleep(0)
    assert not waiting.done()
    work.cleaned.set()
    await waiting
    assert not operation.running and operation.failure is None


async def test_work_that_is_ended_by_somebody_else_tells_those_who_wait_for_it() -> None:
    work, one = Work(), Client()
    work.cleaned.set()
    operation = Operation("pending", work, kept=True)
    waiting = asyncio.ensure_future(operation.join(one.connection))
    await work.begun.wait()
    await operation.cancel()
    with pytest.raises(Interrupted, match="ended by another command"):
        await waiting
    with contextlib.suppress(Interrupted):
        await operation.join(one.connection)
