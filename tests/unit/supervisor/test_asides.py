"""Sentences between a program's own lines: for people only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from devenv.api.context import ClientContext
from devenv.api.views import PortView
from devenv.supervisor.asides import ports_told, tell_pending


class Client:
    """A connection that writes down its notes, on a bench whose forwarder the test speaks for."""

    def __init__(self, *, asides: bool, pending: list[str] | None = None) -> None:
        self.notes: list[str] = []
        self.listeners: list[Callable[[PortView], None]] = []
        self.ctx = ClientContext("/", 0o022, {}, 0, asides=asides)
        self.bench: Any = SimpleNamespace(pending=pending or [], forwarder=self)
        self.connection: Any = self

    def note(self, text: str) -> None:
        self.notes.append(text)

    def on_opening(self, listener: Callable[[PortView], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


@pytest.mark.parametrize(
    ("pending", "asides", "notes"),
    [
        ([], True, []),
        (["postCreateCommand"], False, []),
        (["postCreateCommand"], True, ["devenv: postCreateCommand still runs (devenv up --wait waits for it)"]),
        (
            ["postCreateCommand", "postStartCommand"],
            True,
            ["devenv: postCreateCommand, postStartCommand still run (devenv up --wait waits for them)"],
        ),
    ],
)
def test_commands_that_still_run(pending: list[str], asides: bool, notes: list[str]) -> None:
    client = Client(asides=asides, pending=pending)
    tell_pending(client.bench, client.ctx, client.connection)
    assert client.notes == notes


def test_servers_are_told_while_somebody_follows() -> None:
    client = Client(asides=True)
    with contextlib.suppress(KeyError), ports_told(client.bench, client.ctx, client.connection):
        client.listeners[0](PortView(port=8000, host_port=8001, label="API", secret_url="http://h/?token=s3cret"))
        raise KeyError  # however it ends
    assert client.notes == ["devenv: port 8000 (API) is at 127.0.0.1:8001"]
    assert client.listeners == []


def test_a_script_is_told_nothing() -> None:
    client = Client(asides=False)
    with ports_told(client.bench, client.ctx, client.connection):
        assert client.listeners == []
