"""The relay between two sockets: everything delivered, ends and resets passed on, one connection's fate its own."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from devenv.forward.relay import RelayThread


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    return near, far


@pytest.fixture
def relay() -> Iterator[RelayThread]:
    made = RelayThread()
    yield made
    made.close()


class Path:
    """client == relay == server, all over TCP."""

    def __init__(self, relay: RelayThread) -> None:
        self.client, inner = tcp_pair()
        outer, self.server = tcp_pair()
        inner.setblocking(False)
        outer.setblocking(False)
        self.client.settimeout(20)
        self.server.settimeout(20)
        self.ended = threading.Event()
        relay.add(inner, outer, self.ended.set)

    def close(self) -> None:
        self.client.close()
        self.server.close()


def read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def send_later(connection: socket.socket, data: bytes) -> threading.Thread:
    def send() -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def abort(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


TEN_MB = os.urandom(1 << 20) * 10


@pytest.mark.parametrize("first", ["client", "server"])
def test_after_a_half_close_the_other_side_still_sends_ten_megabytes(relay: RelayThread, first: str) -> None:
    path = Path(relay)
    early, late = (path.client, path.server) if first == "client" else (path.server, path.client)
    early.sendall(b"all I say")
    early.shutdown(socket.SHUT_WR)
    assert read_all(late) == b"all I say"
    sender = send_later(late, TEN_MB)
    assert read_all(early) == TEN_MB
    sender.join()
    assert path.ended.wait(10)
    path.close()


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_is_passed_on_as_a_reset(relay: RelayThread, who: str) -> None:
    path = Path(relay)
    other = Path(relay)
    near, far = (path.client, path.server) if who == "client" else (path.server, path.client)
    near.sendall(b"x")
    assert far.recv(1) == b"x"
    abort(near)
    with pytest.raises(ConnectionResetError):
        far.recv(1)
    assert path.ended.wait(10)
    other.client.sendall(b"unharmed")
    assert other.server.recv(100) == b"unharmed"
    path.close()
    other.close()


def test_a_client_that_does_not_read_holds_little_and_nobody_else(relay: RelayThread) -> None:
    stuck, free = Path(relay), Path(relay)
    stuck.server.setblocking(False)
    sent = 0
    block = bytes(1 << 20)
    idle = 0
    while idle < 20:
        try:
            sent += stuck.server.send(block)
            idle = 0
        except BlockingIOError:
            idle += 1
            free.client.sendall(b"p")
            assert free.server.recv(1) == b"p"
    assert sent < 64 << 20  # kernel buffers and one read
    stuck.server.setblocking(True)
    stuck.server.settimeout(20)
    stuck.server.shutdown(socket.SHUT_WR)
    assert len(read_all(stuck.client)) == sent
    stuck.close()
    free.close()


def test_data_both_ways_at_once(relay: RelayThread) -> None:
    path = Path(relay)
    senders = [send_later(path.client, TEN_MB), send_later(path.server, TEN_MB[::-1])]
    found: dict[str, bytes] = {}
    reader = threading.Thread(target=lambda: found.update(server=read_all(path.server)))
    reader.start()
    found["client"] = read_all(path.client)
    for thread in [*senders, reader]:
        thread.join()
    assert found == {"server": TEN_MB, "client": TEN_MB[::-1]}
    path.close()


def test_no_descriptor_is_left_after_many_connections(relay: RelayThread) -> None:
    Path(relay).close()
    before = len(os.listdir("/proc/self/fd"))
    for number in range(300):
        path = Path(relay)
        if number % 3 == 0:
            abort(path.client)
        else:
            path.client.shutdown(socket.SHUT_WR)
            path.server.shutdown(socket.SHUT_WR)
        assert path.ended.wait(10)
        path.close()
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_closing_resets_what_is_open() -> None:
    relay = RelayThread()
    path = Path(relay)
    path.client.sendall(b"x")
    assert path.server.recv(1) == b"x"
    relay.close()
    with pytest.raises(ConnectionResetError):
        path.client.recv(1)
    assert path.ended.is_set()
    path.close()


async def test_a_closed_relay_that_never_ran() -> None:
    await asyncio.to_thread(RelayThread().close)
