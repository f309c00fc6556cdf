"""Connections the other way: what a program in the container connects to, the host takes over."""

from __future__ import annotations

import os
import pathlib
import socket

import pytest

from .client import AgentError, Client
from .conftest import Connect


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def incoming(agent: Client, port: int, count: int = 1) -> list[int]:
    def told() -> list[int]:
        return [event["connection"] for event in agent.events if event["event"] == "incoming" and event["port"] == port]

    agent.until(lambda: len(told()) >= count, "the news of a connection")
    return told()


def test_a_connection_is_taken_as_a_channel(agent: Client) -> None:
    port, data = free_port(), os.urandom(1 << 20)
    agent.request("reverse.listen", port=port)
    agent.request("reverse.listen", port=port)  # safe to repeat
    with socket.create_connection(("127.0.0.1", port)) as program:
        (connection,) = incoming(agent, port)
        channel = agent.channel()
        agent.request("reverse.take", channel=channel.id, connection=connection, pass_fd=False)
        program.sendall(b"from inside")
        channel.expect(b"from inside")
        channel.send(data[:1000])
        received = b""
        while len(received) < 1000:
            received += program.recv(1 << 16)
        assert received == data[:1000]
        program.shutdown(socket.SHUT_WR)
        channel.eof()
        assert channel.wait() == {}
    with pytest.raises(AgentError) as caught:
        agent.request("reverse.take", channel=agent.channel().id, connection=connection, pass_fd=False)
    assert caught.value.code == "bad-request"


def test_its_own_listener_is_not_listed_and_goes_when_asked(one: Client) -> None:
    port = free_port()
    one.request("reverse.listen", port=port)
    assert port not in [item["port"] for item in one.request("ports.list")["listeners"]]
    one.request("reverse.stop", port=port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(AgentError) as caught:
            one.request("reverse.listen", port=port)
        assert caught.value.code == "os-error"
        assert port in [item["port"] for item in one.request("ports.list")["listeners"]]


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_no_such_port(one: Client, port: int) -> None:
    with pytest.raises(AgentError) as caught:
        one.request("reverse.listen", port=port)
    assert caught.value.code == "bad-request"


def test_what_nobody_takes_does_not_hold_up_the_agent(one: Client) -> None:
    """More connections than may wait: the rest stays with the kernel until there is room."""
    port = free_port()
    one.request("reverse.listen", port=port)
    programs = [socket.create_connection(("127.0.0.1", port)) for _ in range(70)]
    first = incoming(one, port, 64)
    assert one.spawn(["true"]).wait() == {"exit": 0}
    assert len(incoming(one, port, 64)) == 64
    for connection in first[:10]:
        one.request("reverse.take", channel=one.channel().id, connection=connection, pass_fd=False)
    assert len(incoming(one, port, 70)) == 70
    for program in programs:
        program.close()


def test_the_descriptor_itself_in_the_direct_tier(python: str, connect: Connect, door: pathlib.Path) -> None:
    agent, port = connect(python, direct=door), free_port()
    agent.request("reverse.listen", port=port)
    with socket.create_connection(("127.0.0.1", port)) as program:
        (connection,) = incoming(agent, port)
        assert agent.request("reverse.take", connection=connection, pass_fd=True) == {"fd": True}
        with socket.socket(fileno=agent.descriptors.pop()) as taken:
            taken.setblocking(True)
            taken.sendall(b"to the program")
            assert program.recv(100) == b"to the program"
