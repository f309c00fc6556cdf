"""The round trip to an engine, against servers that answer well and badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from devenv.hosts import ping

PODMAN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n"
DOCKER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Callable[[bytes], object]]:
    """`await server(answer)`: a socket whose every question gets that answer."""
    made: list[asyncio.Server] = []

    async def make(answer: bytes) -> Path:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
                await writer.drain()
                if b"HTTP" not in answer:
                    break
            writer.close()

        made.append(await asyncio.start_unix_server(accept, tmp_path / "engine.sock"))
        return tmp_path / "engine.sock"

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("answer", [DOCKER, PODMAN], ids=["docker", "podman"])
async def test_two_questions_on_one_connection(server: Callable[[bytes], asyncio.Future[Path]], answer: bytes) -> None:
    assert await ping.round_trip(await server(answer), 10) > 0


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"",
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n",
    ],
    ids=["another protocol", "nothing", "a failure", "too much"],
)
async def test_what_is_no_engine(server: Callable[[bytes], asyncio.Future[Path]], answer: bytes) -> None:
    with pytest.raises(OSError):
        await ping.round_trip(await server(answer), 10)
