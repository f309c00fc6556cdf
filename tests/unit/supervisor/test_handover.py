"""The exchange between a supervisor and its successor, both halves over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pathlib
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from devenv.api.context import ClientContext
from devenv.api.messages import Args, HandOverArgs
from devenv.supervisor import succession
from devenv.supervisor.connection import Connection
from devenv.supervisor.handover import HandOver
from devenv.supervisor.server import Server

CONTEXT = {"cwd": "/", "umask": 18, "env": {}, "uid": 0}
NEWER = "999.0"


class FakeForwarder:
    """One listening port, no connection."""

    idle = True

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def export_listeners(self) -> list[tuple[int, int, socket.socket]]:
        return [(self.port, 8000, self.listener)]

    async def wait_idle(self) -> None: ...


class FakeRegistry:
    def __init__(self) -> None:
        self.forwarder = FakeForwarder()
        self.retired = False

    def all(self) -> list[Any]:
        async def drop_links() -> None: ...

        return [SimpleNamespace(target=SimpleNamespace(key="k"), forwarder=self.forwarder, drop_links=drop_links)]

    def retire(self) -> None:
        self.retired = True
        self.forwarder.listener.close()


class Old:
    """A predecessor that serves at `path` and holds the lock."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.path = str(folder / "s")
        self.lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.registry = FakeRegistry()
        self.handover = HandOver(self.registry, self.lock)  # type: ignore[arg-type]
        self.served = asyncio.Event()
        self.leave = asyncio.Event()
        self.server = Server(
            {
                "hand-over": (HandOverArgs, self.handover.hand_over),
                "hold": (Args, self.hold),
                "watch": (Args, self.watch),
                "supervisor": (Args, self.status),
            }
        )
        self.handover.server = self.server

    async def hold(self, args: Args, ctx: ClientContext, connection: Connection) -> Any:
        self.served.set()
        await self.leave.wait()
        return {"held": True}

    async def watch(self, args: Args, ctx: ClientContext, connection: Connection) -> None:
        self.served.set()
        await connection.wait_gone()

    async def status(self, args: Args, ctx: ClientContext, connection: Connection) -> Any:
        return {"ours": True}

    def locked(self) -> bool:
        other = os.open(f"/proc/self/fd/{self.lock}", os.O_RDWR)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(other)
        return False


@pytest.fixture
async def old(tmp_path: pathlib.Path) -> AsyncIterator[Old]:
    made = Old(tmp_path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(made.path)
    listener.listen()
    async with asyncio.TaskGroup() as group:
        group.create_task(made.server.serve(listener))
        yield made
        made.server.stopping.set()
    made.registry.forwarder.listener.close()
    os.close(made.lock)


async def ask(path: str, verb: str, client: str = "", **args: Any) -> dict[str, Any]:
    request = {"v": 1, "verb": verb, "args": args, "context": CONTEXT, "client": client}
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(json.dumps(request).encode() + b"\n")
    line = await reader.readline()
    writer.close()
    answer: dict[str, Any] = json.loads(line) if line else {}
    return answer


async def test_a_newer_client_is_told_and_nothing_else_is_done(old: Old) -> None:
    answer = await ask(old.path, "hold", NEWER)
    assert answer["t"] == "outdated"
    assert not old.served.is_set()


@pytest.mark.parametrize("client", ["", "0.0.1", "what?"])
async def test_older_clients_are_served(old: Old, client: str) -> None:
    old.leave.set()
    assert (await ask(old.path, "hold", client))["result"] == {"held": True}


async def test_the_supervisor_verb_serves_every_version(old: Old) -> None:
    assert (await ask(old.path, "supervisor", NEWER))["result"] == {"ours": True}


async def test_who_is_not_newer_gets_no_sockets(old: Old) -> None:
    with pytest.raises(succession.AlreadySucceeded):
        await asyncio.to_thread(succession.ask, old.path)
    assert not old.registry.retired
    assert old.locked()


async def test_listeners_change_hands_and_the_held_client_goes_on(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "VERSION", NEWER)
    async with asyncio.TaskGroup() as group:
        held = group.create_task(ask(old.path, "hold"))
        watching = group.create_task(ask(old.path, "watch"))
        drained = group.create_task(old.handover.drain())
        await old.served.wait()
        legacy = await asyncio.to_thread(succession.ask, old.path)
        assert not old.locked()
        assert not old.registry.retired, "it serves until the successor says that it listens"
        await asyncio.to_thread(legacy.take)
        assert old.registry.retired
        assert await watching == {}, "who only looks is sent on"
        assert not drained.done()
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as late, pytest.raises(ConnectionRefusedError):
            late.connect(old.path)
        old.leave.set()
        assert (await held)["result"] == {"held": True}
        await drained
    ((port, target, listener),) = legacy.listeners["k"]
    assert (port, target) == (old.registry.forwarder.port, 8000)
    with listener, socket.create_connection(("127.0.0.1", port)):
        listener.accept()[0].close()


async def test_a_successor_that_goes_away_leaves_the_old_one_in_office(
    old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(succession, "VERSION", NEWER)
    legacy = await asyncio.to_thread(succession.ask, old.path)
    legacy.refuse()
    old.leave.set()
    await old.server.wait_idle()
    assert (await ask(old.path, "hold"))["result"] == {"held": True}
    assert old.locked()
    assert not old.registry.retired


async def test_a_second_successor_never_stops_the_old_one(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "VERSION", NEWER)
    legacy = await asyncio.to_thread(succession.ask, old.path)
    monkeypatch.setattr(succession, "_PATIENCE", 0.2)
    assert (await asyncio.to_thread(succession.ask, old.path)).listeners == {}
    assert not old.server.stopping.is_set()
    assert not old.registry.retired
    legacy.refuse()


async def test_one_that_does_not_know_the_verb_is_asked_to_stop(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = json.loads(await reader.readline())
        asked.append(request)
        writer.write(b'{"t":"error","error":{"kind":"UsageError","message":"?","hint":"","code":64}}\n')
        await writer.drain()
        writer.close()

    path = str(tmp_path / "s")
    async with await asyncio.start_unix_server(answer, path):
        legacy = await asyncio.to_thread(succession.ask, path)
    assert legacy.listeners == {}
    assert [(one["verb"], one["args"].get("action")) for one in asked] == [("hand-over", None), ("supervisor", "stop")]


async def test_nobody_listens(tmp_path: pathlib.Path) -> None:
    assert (await asyncio.to_thread(succession.ask, str(tmp_path / "none"))).listeners == {}
