"""Cancelling: a task that waits for a registry goes on at once, and the thread behind it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from devenv.oci.client import Client
from devenv.oci.digests import sha256
from devenv.oci.interrupt import Interrupt, Interrupted
from devenv.oci.network import Limits
from devenv.oci.threads import NetworkThreads
from tests.kit.scripted_server import Reply, Request, ScriptedServer, certificate, scripted

Make = Callable[..., Client]
PATIENT = Limits(connect=60, read=60, retries=5, pause=60, patience=600)


async def test_a_registry_that_hangs_is_left(server: ScriptedServer, client: Make) -> None:
    asked = threading.Event()

    def hang(request: Request) -> Reply:
        asked.set()
        return Reply(hang=True)

    server.on("GET", "/v2/a/b/tags/list", hang)
    one = client(limits=PATIENT)
    ended: list[BaseException] = []

    def call() -> None:
        try:
            one.registry(server.host).tags("a/b")
        except BaseException as error:
            ended.append(error)
            raise

    async with NetworkThreads(one.interrupt) as threads:
        task = asyncio.create_task(threads.run(call))
        await asyncio.to_thread(asked.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    for thread in threading.enumerate():
        if thread.name.startswith("oci"):
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()
    assert [type(error) for error in ended] == [Interrupted]


async def test_a_download_is_left_without_a_file(server: ScriptedServer, client: Make, tmp_path: Path) -> None:
    content = b"x" * 100
    server.on("GET", f"/v2/a/b/blobs/{sha256(content)}", Reply(200, content, trickle=60))
    one = client(limits=PATIENT)
    started = threading.Event()
    target = tmp_path / "blob"
    async with NetworkThreads(one.interrupt) as threads:
        registry = one.registry(server.host)
        task = asyncio.create_task(
            threads.run(lambda: registry.blob("a/b", sha256(content), target, seen=lambda *_: started.set()))
        )
        await asyncio.to_thread(started.wait, 10)
        assert target.exists()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    for thread in threading.enumerate():
        if thread.name.startswith("oci"):
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()
    assert not target.exists()


async def test_an_encrypted_connection_is_left_too(client: Make, tmp_path: Path) -> None:
    authority, context = certificate(tmp_path)
    asked = threading.Event()

    def hang(request: Request) -> Reply:
        asked.set()
        return Reply(hang=True)

    with scripted(context) as server:
        server.on("GET", "/f", hang)
        one = client({"SSL_CERT_FILE": str(authority)}, limits=PATIENT)
        async with NetworkThreads(one.interrupt) as threads:
            task = asyncio.create_task(threads.run(lambda: one.download(f"{server.url}/f", tmp_path / "file")))
            await asyncio.to_thread(asked.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        for thread in threading.enumerate():
            if thread.name.startswith("oci"):
                await asyncio.to_thread(thread.join, 10)
                assert not thread.is_alive()


async def test_a_pause_before_another_attempt_ends_too(server: ScriptedServer, client: Make) -> None:
    refused = threading.Event()

    def busy(request: Request) -> Reply:
        refused.set()
        return Reply(503)

    server.on("GET", "/v2/a/b/tags/list", busy)
    one = client(limits=PATIENT)
    async with NetworkThreads(one.interrupt) as threads:
        task = asyncio.create_task(threads.run(lambda: one.registry(server.host).tags("a/b")))
        await asyncio.to_thread(refused.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_nothing_more_is_asked_afterwards(server: ScriptedServer, client: Make) -> None:
    one = client()
    one.interrupt.set()
    with pytest.raises(Interrupted):
        one.registry(server.host).tags("a/b")
    assert server.requests == []


def test_a_pause_is_over_when_it_is_over() -> None:
    Interrupt().pause(0)
