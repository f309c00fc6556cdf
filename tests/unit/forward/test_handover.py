"""Listening sockets change hands, in any number; a broken hand-over leaves nothing open."""

from __future__ import annotations

import os
import socket
import struct
import threading

import pytest

from devenv.forward.handover import receive_listeners, send_listeners


def listening(count: int) -> list[tuple[int, int, socket.socket]]:
    found = []
    for number in range(count):
        made = socket.socket()
        made.bind(("127.0.0.1", 0))
        made.listen()
        found.append((made.getsockname()[1], 8000 + number, made))
    return found


@pytest.mark.parametrize("count", [0, 1, 250])
def test_all_arrive_and_accept(count: int) -> None:
    given = listening(count)
    near, far = socket.socketpair()
    sender = threading.Thread(target=send_listeners, args=(near, {"key": given} if count else {}))
    sender.start()
    found = receive_listeners(far)
    sender.join()
    for _, _, one in given:
        one.close()
    assert [row[:2] for row in found.get("key", [])] == [row[:2] for row in given]
    for host_port, _, one in found.get("key", []):
        with socket.create_connection(("127.0.0.1", host_port)):
            one.accept()[0].close()
        one.close()
    near.close()
    far.close()


@pytest.mark.parametrize(
    "sent", [b"", struct.pack(">I", 9) + b"[[1,", struct.pack(">I", 2) + b"[3", struct.pack(">I", 1 << 30)]
)
def test_a_broken_hand_over_leaves_nothing_open(sent: bytes) -> None:
    near, far = socket.socketpair()
    (row,) = listening(1)
    before = len(os.listdir("/proc/self/fd"))
    if sent:
        socket.send_fds(near, [sent], [row[2].fileno()])
    near.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError):
        receive_listeners(far)
    assert len(os.listdir("/proc/self/fd")) == before
    for one in (near, far, row[2]):
        one.close()
