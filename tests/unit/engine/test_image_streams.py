"""The request that puts an image into an engine, against servers that answer when and what they like."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from devenv.engine.endpoint import Endpoint
from devenv.engine.exec_stream import EngineHttp
from devenv.engine.image_streams import load
from devenv.errors import EngineError, EngineMissing

PIECE = bytes(100_000)
SIZE = 100 * len(PIECE)  # more than any buffer between here and there

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Send = Callable[[Answer], Awaitable[None]]


def body() -> Iterator[bytes]:
    for _ in range(100):
        yield PIECE


@pytest.fixture
async def send(tmp_path: Path) -> AsyncIterator[Send]:
    """`send(answer)`: a load of `body()` by an engine that treats it so."""
    servers: list[asyncio.Server] = []
    threads = concurrent.futures.ThreadPoolExecutor(2)

    async def run(answer: Answer, pieces: Iterator[bytes] | None = None) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
            writer.close()

        path = tmp_path / "engine.sock"
        servers.append(await asyncio.start_unix_server(serve, path))
        http = EngineHttp(Endpoint(f"unix://{path}", "test", ssh="box", name="box"), "1.41")
        await load(http, "a:1", pieces or body(), SIZE, threads)

    yield run
    for server in servers:
        server.close()
    threads.shutdown()


def head(status: str, size: int) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode()


async def say(writer: asyncio.StreamWriter, status: str, text: bytes) -> None:
    writer.write(head(status, len(text)) + text)
    await writer.drain()


async def test_all_of_it_arrives(send: Send) -> None:
    got = []

    async def takes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readexactly(SIZE))
        await say(writer, "200 OK", b'{"stream":"Loaded image: a:1"}')

    await send(takes)
    assert len(got[0]) == SIZE


async def test_an_answer_in_the_middle_ends_it(send: Send) -> None:
    """As Engine 26 does with a full disk: it has said yes, then says why not, and reads no further."""
    ended = asyncio.Event()

    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        await say(writer, "200 OK", b'{"error":"write /x: no space left on device"}\n')
        await ended.wait()  # the connection stays, and nobody reads

    try:
        with pytest.raises(EngineError, match="cannot put image a:1 there: write /x: no space left on device"):
            await send(refuses)
    finally:
        ended.set()


async def test_an_answer_and_a_closed_connection_is_that_answer(send: Send) -> None:
    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        await say(writer, "500 Internal Server Error", b'{"message":"unexpected EOF"}')

    with pytest.raises(EngineError, match="cannot put image a:1 there: unexpected EOF"):
        await send(refuses)


async def test_a_closed_connection_is_a_lost_engine(send: Send) -> None:
    async def leaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)

    with pytest.raises(EngineMissing, match="the engine of box does not answer"):
        await send(leaves)


async def test_an_answer_that_is_none_is_a_lost_engine(send: Send) -> None:
    async def babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(SIZE)
        writer.write(b"SSH-2.0-OpenSSH_9.2 what\r\n\r\n")

    with pytest.raises(EngineMissing):
        await send(babbles)


async def test_what_the_body_raises_is_raised(send: Callable[..., Awaitable[None]]) -> None:
    def breaks() -> Iterator[bytes]:
        yield PIECE
        raise EngineError("the image's archive has become shorter")

    async def takes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with pytest.raises(EngineError, match="has become shorter"):
        await send(takes, breaks())
