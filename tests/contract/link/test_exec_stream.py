"""What a link needs of an exec stream, held by the local stand-in. The engine's own stream is tested where it lives."""

from __future__ import annotations

import asyncio

from devenv.link.fakes import SubprocessExecStream


async def everything(stream: SubprocessExecStream) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while (chunk := await stream.read()) is not None:
        found[chunk[0]] = found.get(chunk[0], b"") + chunk[1]
    return found


async def test_streams_stay_apart_and_none_is_the_end() -> None:
    stream = await SubprocessExecStream.start(["sh", "-c", "printf out; printf err >&2; exit 3"])
    assert await everything(stream) == {1: b"out", 2: b"err"}
    assert await stream.exit_code() == 3
    await stream.close()


async def test_duplex() -> None:
    stream = await SubprocessExecStream.start(["cat"])
    await stream.write(b"ping")
    assert await stream.read() == (1, b"ping")
    assert await stream.exit_code() is None
    await stream.close()


async def test_closing_ends_the_process() -> None:
    stream = await SubprocessExecStream.start(["cat"])
    await stream.close()
    assert await stream.exit_code() == 0


async def test_a_slow_reader_holds_the_writer_back() -> None:
    stream = await SubprocessExecStream.start(["sh", "-c", "head -c 50000000 /dev/zero"])
    await asyncio.sleep(0.1)
    assert stream.waiting <= 8
    assert len((await everything(stream))[1]) == 50_000_000
    await stream.close()
