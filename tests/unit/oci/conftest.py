"""A misbehaving server per test, and clients that lose no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from devenv.oci.client import Client
from devenv.oci.network import Limits
from tests.kit.scripted_server import ScriptedServer, scripted

FAST = Limits(connect=2.0, read=0.3, answer=1.0, retries=2, pause=0.0, patience=1.0)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted() as one:
        yield one


@pytest.fixture
def other() -> Iterator[ScriptedServer]:
    """A second host, as far as credentials are concerned: another port is another origin."""
    with scripted() as one:
        yield one


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def client(notes: list[str]) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(env: dict[str, str] | None = None, limits: Limits = FAST) -> Client:
        made.append(Client(env or {}, note=notes.append, limits=limits))
        return made[-1]

    yield make
    for one in made:
        one.close()
