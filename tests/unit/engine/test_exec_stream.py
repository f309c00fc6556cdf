"""The demultiplexer at every cut, and the HTTP head read to the byte, against a server that answers as it likes."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.engine.endpoint import Endpoint
from devenv.engine.exec_stream import EngineHttp, FrameDemux, open_exec
from devenv.errors import ContainerGone, EngineError, EngineMissing


def frame(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=12),
    st.lists(st.integers(1, 30), max_size=60),
)
def test_frames_come_out_however_they_are_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    wire = b"".join(frame(stream, data) for stream, data in frames)
    demux, pieces, at = FrameDemux(), [], 0
    for cut in [*cuts, len(wire) + 1]:
        pieces += demux.feed(wire[at : at + cut])
        at += cut
    for wanted in (1, 2):
        assert b"".join(d for s, d in pieces if s == wanted) == b"".join(d for s, d in frames if s == wanted)
    order = [s for s, d in pieces if d]
    expected = [s for s, d in frames if d]
    assert [s for n, s in enumerate(order) if n == 0 or order[n - 1] != s] == [
        s for n, s in enumerate(expected) if n == 0 or expected[n - 1] != s
    ]


def test_payload_is_not_held_back_until_its_frame_is_whole() -> None:
    demux = FrameDemux()
    assert demux.feed(frame(1, b"abcdef")[:11]) == [(1, b"abc")]
    assert demux.feed(b"def" + frame(1, b"g")) == [(1, b"defg")]


def test_garbage_is_refused() -> None:
    with pytest.raises(ValueError, match="not a frame"):
        FrameDemux().feed(b"OCI runtime exec failed")


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def served(tmp_path: pathlib.Path, handler: Handler) -> tuple[asyncio.Server, EngineHttp]:
    path = str(tmp_path / "engine.sock")

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(one, path)
    return server, EngineHttp(Endpoint(f"unix://{path}", "test"), "1.45")


async def head(reader: asyncio.StreamReader) -> bytes:
    text = await reader.readuntil(b"\r\n\r\n")
    length = int(text.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return text + await reader.readexactly(length)


async def test_bytes_right_behind_the_upgrade_are_not_lost(tmp_path: pathlib.Path) -> None:
    asked: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await head(reader))
        body = b'{"Id":"abc"}'
        # Chunked, in two writes, as some engines answer.
        writer.write(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n" + body[:6] + b"\r\n")
        await writer.drain()
        writer.write(b"6\r\n" + body[6:] + b"\r\n0\r\n\r\n")
        asked.append(await head(reader))
        writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + frame(1, b"first"))
        await writer.drain()
        assert await reader.readexactly(4) == b"ping"
        writer.write(frame(2, b"last"))
        await writer.drain()

    server, http = await served(tmp_path, handler)
    async with server:
        stream = await open_exec(http, "c1", ["cat"], user="dev", env={"A": "b"}, workdir="/w")
        assert await stream.read() == (1, b"first")
        await stream.write(b"ping")
        assert await stream.read() == (2, b"last")
        assert await stream.read() is None
        with pytest.raises(ConnectionResetError):
            await stream.write(b"more")
        await stream.close()
    assert asked[0].startswith(b"POST /v1.45/containers/c1/exec HTTP/1.1\r\n")
    assert b'"User": "dev"' in asked[0] and b'"A=b"' in asked[0] and b'"WorkingDir": "/w"' in asked[0]
    assert asked[1].startswith(b"POST /v1.45/exec/abc/start ") and b"Upgrade: tcp" in asked[1]


@pytest.mark.parametrize(
    ("status", "kind"), [("404 Not Found", ContainerGone), ("409 Conflict", ContainerGone), ("500 Oops", EngineError)]
)
async def test_refusals_become_ours(tmp_path: pathlib.Path, status: str, kind: type[Exception]) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        body = b'{"message":"because"}'
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    server, http = await served(tmp_path, handler)
    async with server:
        with pytest.raises(kind):
            await open_exec(http, "c1", ["cat"])


async def test_an_engine_that_hangs_up_is_missing(tmp_path: pathlib.Path) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)

    server, http = await served(tmp_path, handler)
    async with server:
        with pytest.raises(EngineMissing):
            await open_exec(http, "c1", ["cat"])


async def test_no_engine_at_all(tmp_path: pathlib.Path) -> None:
    with pytest.raises(EngineMissing, match=r"no container engine answers"):
        await open_exec(EngineHttp(Endpoint(f"unix://{tmp_path}/none", "test"), "1.45"), "c1", ["cat"])


async def test_a_slow_reader_holds_the_engine_back(tmp_path: pathlib.Path) -> None:
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await head(reader)
        writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{"Id":"a"}')
        await head(reader)
        writer.write(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
        piece = frame(1, bytes(32768))
        for _ in range(2000):
            writer.write(piece)
            await writer.drain()
            sent += 32768

    server, http = await served(tmp_path, handler)
    async with server:
        stream = await open_exec(http, "c1", ["cat"])
        before = -1
        while before != sent:  # until nothing moves any more
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 16 * 1024 * 1024
        total = 0
        while (chunk := await stream.read()) is not None:
            total += len(chunk[1])
        assert total == 2000 * 32768
        await stream.close()
