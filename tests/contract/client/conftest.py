"""Clients under contract. The real client joins by one more entry in `MAKERS` (it needs an engine and a project)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from devenv.api import fake_scenes
from devenv.api.port import Client


@dataclass
class World:
    """A client of an environment that is up and idle, with two ways to make it do what the contract is about."""

    client: Client
    runnable: str  # a run configuration whose run lives until it is ended
    print_bytes: Callable[[str, bytes], Awaitable[None]]  # makes that run print; returns once it is readable


async def _fake() -> World:
    client = fake_scenes.ready()

    async def print_bytes(run: str, data: bytes) -> None:
        client.emit(run, data)

    return World(client, "train", print_bytes)


MAKERS: dict[str, Callable[[], Awaitable[World]]] = {"fake": _fake}


@pytest.fixture(params=list(MAKERS))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    world = await MAKERS[request.param]()
    yield world
    await world.client.close()
