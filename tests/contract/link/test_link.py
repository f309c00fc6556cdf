"""What every implementation of `devenv.link.port.Link` promises."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import pathlib
import signal
import socket

import pytest

from devenv.errors import LinkError, NotFound
from devenv.link.port import Channel, Link, Stream, Tier, WindowSize

ENV = {"PATH": os.environ["PATH"]}


async def collect(channel: Channel) -> dict[int, bytes]:
    """Everything to the end, by stream."""
    found: dict[int, bytes] = {}
    while (received := await channel.recv()) is not None:
        stream, data = received
        found[stream] = found.get(stream, b"") + data
    return found


def alive(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def shell(link: Link, script: str) -> Channel:
    return await link.spawn(["/bin/sh", "-c", script], env=ENV, cwd="/")


async def test_output_streams_stay_apart_and_the_exit_code_comes(link: Link) -> None:
    channel = await shell(link, "printf out; printf err >&2; exit 7")
    assert await collect(channel) == {Stream.OUT: b"out", Stream.ERR: b"err"}
    assert channel.result == {"exit": 7}


async def test_input_half_close_and_binary_data(link: Link) -> None:
    data = bytes(range(256)) * 3000
    channel = await shell(link, "cat")
    await channel.send(data)
    await channel.send_eof()
    assert (await collect(channel))[Stream.OUT] == data
    assert channel.result == {"exit": 0}


async def test_a_signal_reaches_the_process_and_is_its_end(link: Link) -> None:
    channel = await shell(link, "echo ready; exec sleep 60")
    assert await channel.recv() == (Stream.OUT, b"ready\n")
    await channel.signal(signal.SIGTERM)
    await collect(channel)
    assert channel.result == {"signal": int(signal.SIGTERM)}


async def test_the_program_sees_the_given_environment_and_folder_only(link: Link) -> None:
    channel = await link.spawn(["/usr/bin/env"], env={"ONLY": "this"}, cwd="/usr")
    assert (await collect(channel))[Stream.OUT] == b"ONLY=this\n"
    channel = await link.spawn(["/bin/pwd"], env=ENV, cwd="/usr")
    assert (await collect(channel))[Stream.OUT] == b"/usr\n"


@pytest.mark.parametrize(
    ("argv", "cwd", "code"),
    [(["no-such-program"], "/", "not-found"), (["/bin/true"], "/no/such/folder", "no-cwd")],
    ids=["missing program", "missing folder"],
)
async def test_what_does_not_exist_is_not_found(link: Link, argv: list[str], cwd: str, code: str) -> None:
    with pytest.raises(NotFound) as caught:
        await link.spawn(argv, env=ENV, cwd=cwd)
    assert caught.value.details["code"] == code


async def test_what_is_not_executable_is_refused_and_the_link_lives(link: Link, tmp_path: pathlib.Path) -> None:
    (tmp_path / "data").write_text("no program")
    with pytest.raises(LinkError) as caught:
        await link.spawn([str(tmp_path / "data")], env=ENV, cwd="/")
    assert caught.value.details["code"] == "not-executable"
    assert not link.closed
    assert (await collect(await shell(link, "echo on")))[Stream.OUT] == b"on\n"


async def test_what_is_expected_of_files_is_looked_at_first(link: Link, tmp_path: pathlib.Path) -> None:
    known, lacking = tmp_path / "known", str(tmp_path / "lacking")
    known.write_text("as it was")
    info = known.stat()
    expect = {str(known): [info.st_size, info.st_mtime], lacking: None}
    channel = await link.spawn(["/bin/echo", "on"], env=ENV, cwd="/", expect=expect)
    assert (await collect(channel))[Stream.OUT] == b"on\n"
    for other in ({**expect, str(known): None}, {**expect, lacking: [1, 1.5]}, {str(known): [1, info.st_mtime]}):
        with pytest.raises(LinkError) as caught:
            await link.spawn(["/usr/bin/touch", str(tmp_path / "begun")], env=ENV, cwd="/", expect=other)
        assert caught.value.details["code"] == "stale"
    assert not (tmp_path / "begun").exists()
    assert not link.closed


@pytest.mark.parametrize(
    ("answer", "result"),
    [(7, {"exit": 3, "told": 7}), (0, {"exit": 3, "told": 0}), (-1, {"exit": 3}), (None, {"exit": 3})],
)
async def test_the_end_of_a_program_says_how_far_the_files_were_told(
    link: Link, answer: int | None, result: dict[str, int], tmp_path: pathlib.Path
) -> None:
    """None: it is busy, and does not answer in time."""
    seen, left = [], asyncio.Event()

    async def knock(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((tmp_path / "written").exists())
        if answer is None:
            assert await reader.read() == b"", "it has gone"
        else:
            writer.write(answer.to_bytes(8, "big", signed=True))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        left.set()

    door = f"devenv-test-{os.urandom(8).hex()}"
    async with await asyncio.start_unix_server(knock, "\0" + door):
        words = ["sh", "-c", "touch written; exit 3"]
        channel = await link.spawn(words, env=ENV, cwd=str(tmp_path), door=door)
        while await channel.recv() is not None:
            pass
        await asyncio.wait_for(left.wait(), 5)
        assert (channel.result, seen) == (result, [True])
    channel = await link.spawn(["true"], env=ENV, cwd="/", door=door)
    while await channel.recv() is not None:
        pass
    assert channel.result == {"exit": 0}, "nobody is behind the door any more"


async def test_closing_a_channel_hangs_the_process_up(link: Link) -> None:
    channel = await shell(link, "echo $$; exec sleep 60")
    received = await channel.recv()
    assert received is not None
    pid = int(received[1])
    await channel.close()
    async with asyncio.timeout(20):
        while alive(pid):
            await asyncio.sleep(0.02)
    assert await channel.recv() is None


async def test_many_channels_at_once(link: Link) -> None:
    async def one(number: int) -> bytes:
        channel = await shell(link, f"cat; echo {number}")
        await channel.send(b"x" * 1000)
        await channel.send_eof()
        return (await collect(channel))[Stream.OUT]

    found = await asyncio.gather(*(one(number) for number in range(20)))
    assert found == [b"x" * 1000 + f"{number}\n".encode() for number in range(20)]


async def test_sending_to_a_process_that_ended_is_a_broken_pipe(link: Link) -> None:
    channel = await shell(link, "exit 0")
    await collect(channel)
    with pytest.raises(BrokenPipeError):
        await channel.send(b"too late")


async def test_connect_gives_what_the_tier_says(link: Link) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()  # to the half-close
        writer.write(b"you said " + data)
        writer.write_eof()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        connection = await link.connect(port)
        if link.tier is Tier.DIRECT:
            assert isinstance(connection, socket.socket)
            assert not connection.getblocking()
            reader, writer = await asyncio.open_connection(sock=connection)
            writer.write(b"hello")
            writer.write_eof()
            assert await reader.read() == b"you said hello"
            writer.close()
            await writer.wait_closed()
        else:
            assert not isinstance(connection, socket.socket)
            await connection.send(b"hello")
            await connection.send_eof()
            assert (await collect(connection))[Stream.OUT] == b"you said hello"


async def test_a_refused_connection_is_the_usual_error(link: Link) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError) as caught:
            await link.connect(free.getsockname()[1])
    assert caught.value.errno == errno.ECONNREFUSED
    assert not link.closed


async def test_an_unknown_operation_is_refused_and_the_link_lives(link: Link) -> None:
    with pytest.raises(LinkError):
        await link.request("no.such.operation")
    assert not link.closed


async def test_after_close_everything_is_a_link_error(link: Link) -> None:
    channel = await shell(link, "sleep 60")
    await link.close()
    await link.close()
    assert link.closed
    await asyncio.wait_for(link.wait_closed(), 5)
    with pytest.raises(LinkError):
        while await channel.recv() is not None:
            pass
    with pytest.raises(LinkError):
        await channel.send(b"x")
    with pytest.raises(LinkError):
        await link.spawn(["/bin/true"], env=ENV, cwd="/")
    with pytest.raises(LinkError):
        await link.request("stat", paths=["/"])


async def test_a_cancelled_reader_loses_nothing(link: Link) -> None:
    channel = await shell(link, "read line; echo got $line")
    reading = asyncio.create_task(channel.recv())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await channel.send(b"it\n")
    assert (await collect(channel))[Stream.OUT] == b"got it\n"


async def test_unsubscribing_twice_is_harmless(link: Link) -> None:
    stop = link.subscribe(lambda event: None)
    stop()
    stop()


async def test_a_resize_of_a_terminal(link: Link) -> None:
    channel = await link.spawn(["/bin/cat"], env=ENV, cwd="/", tty=WindowSize(24, 80))
    await channel.resize(WindowSize(50, 200))
    await channel.close()
