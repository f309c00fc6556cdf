"""Clients under contract: the scripted one, and the real one with a supervisor and a container behind it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from devenv.api import fake_scenes
from tests.contract.client.real import real_world
from tests.contract.client.world import World


@contextlib.asynccontextmanager
async def _fake() -> AsyncIterator[World]:
    client = fake_scenes.ready()

    async def print_bytes(run: str, data: bytes) -> None:
        client.emit(run, data)

    yield World(client, "train", print_bytes)
    await client.close()


MAKERS: dict[str, Callable[[], AbstractAsyncContextManager[World]]] = {"fake": _fake, "real": real_world}


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.engine)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with MAKERS[request.param]() as world:
        yield world
