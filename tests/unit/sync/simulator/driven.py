"""Coroutines in which nothing ever waits: each runs to its end at once, and one that would wait is a fault.

The two sides are called one after the other, the host's first: what happens in between is the schedule's alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def driven(coro: Coroutine[Any, Any, T]) -> T:
    try:
        coro.send(None)
    except StopIteration as ended:
        value: T = ended.value
        return value
    coro.close()
    raise AssertionError("everybody waits for somebody else")


async def at_once(function: Callable[..., T], /, *args: Any, **named: Any) -> T:
    """In the place of `asyncio.to_thread`."""
    return function(*args, **named)


async def in_turn(*waiting: Awaitable[T], return_exceptions: bool) -> list[T | BaseException]:
    """In the place of `asyncio.gather`, which ends when all have, a crash of one included."""
    assert return_exceptions
    found: list[T | BaseException] = []
    for each in waiting:
        try:
            found.append(await each)
        except BaseException as error:
            found.append(error)
    return found
