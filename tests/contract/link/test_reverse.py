"""Reverse forwards over every tier of the real agent: the "container" is this machine."""

from __future__ import annotations

import asyncio
import pathlib
import socket

import pytest

from devenv.errors import PortTaken
from devenv.forward.reverse import ReverseForwards
from devenv.link.fakes import open_local_link
from devenv.link.port import Tier


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(b"<" + data + b">")
    writer.close()


async def ask(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    answer = await reader.read(-1)
    writer.close()
    return answer


@pytest.mark.parametrize("tier", [Tier.DIRECT, Tier.STREAM])
async def test_a_program_inside_reaches_the_host(tmp_path: pathlib.Path, tier: Tier) -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    host_port, port = server.sockets[0].getsockname()[1], free_port()
    forwards = ReverseForwards()
    link = await open_local_link(tmp_path, tier)
    try:
        await forwards.set_link(link)
        await forwards.add(port, host_port)
        assert forwards.ports == {port: host_port}
        assert await asyncio.gather(*(ask(port, b"%d" % number) for number in range(20))) == [
            b"<%d>" % number for number in range(20)
        ]

        # The next link listens again; in between the program is refused.
        await forwards.set_link(None)
        await link.close()
        (tmp_path / "second").mkdir()
        link = await open_local_link(tmp_path / "second", tier)
        await forwards.set_link(link)
        assert await ask(port, b"again") == b"<again>"

        # Nothing listens on the host: the program's connection is reset.
        server.close()
        await server.wait_closed()
        with pytest.raises(ConnectionError):
            await ask(port, b"nobody")
        forwards.forget()
        assert forwards.ports == {}
    finally:
        await forwards.close()
        await link.close()


async def test_a_port_that_is_taken_inside(tmp_path: pathlib.Path) -> None:
    forwards = ReverseForwards()
    link = await open_local_link(tmp_path, Tier.STREAM)
    try:
        await forwards.set_link(link)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            with pytest.raises(PortTaken) as error:
                await forwards.add(taken.getsockname()[1], 5678)
            assert "forward --reverse" in error.value.hint
        assert forwards.ports == {}
    finally:
        await forwards.close()
        await link.close()


async def test_only_ports_that_were_asked_for(tmp_path: pathlib.Path) -> None:
    """The agent is in the container and not trusted: an event of its own invention reaches nothing."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    forwards, port = ReverseForwards(), free_port()
    link = await open_local_link(tmp_path, Tier.STREAM)
    try:
        await link.request("reverse.listen", port=port)
        await forwards.set_link(link)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await link.request("stats")  # by now the event has been seen
        assert not forwards._serving
        writer.close()
    finally:
        await forwards.close()
        await link.close()
        server.close()
