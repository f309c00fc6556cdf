"""Whose connection it is. Other users are real ones: child processes that give root up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from devenv.forward import same_user
from devenv.forward.same_user import PeerCheck

CONNECT = """
import os, socket, sys
"x".encode("idna")  # the interpreter may lie where the other user cannot read
os.setuid(int(sys.argv[3])) if os.getuid() == 0 else None
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("in", flush=True)
sys.stdin.read()
"""


def listening(address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        made.bind((address, 0))
    except OSError:
        made.close()
        pytest.skip(f"this machine has no {address}")
    made.listen()
    return made


@pytest.mark.parametrize("by_proc", [False, True], ids=["sock_diag", "proc"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_uid_of_another_process(address: str, by_proc: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if by_proc:

        def denied(*arguments: object) -> int:
            raise PermissionError(1, "no netlink here")

        monkeypatch.setattr(PeerCheck, "_by_netlink", denied)
    other = 54321 if os.getuid() == 0 else os.getuid()
    check = PeerCheck()
    with listening(address) as server:
        arguments = [sys.executable, "-c", CONNECT, address, str(server.getsockname()[1]), str(other)]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            connection, _ = server.accept()
            assert check.uid_of_peer(connection) == other
            assert check.allows(connection) is (other == os.getuid())
            assert process.stdin is not None
            process.stdin.close()
        connection.close()
    check.close()


def test_our_own_connection_is_allowed() -> None:
    check = PeerCheck()
    with listening("127.0.0.1") as server, socket.create_connection(server.getsockname()):
        connection, _ = server.accept()
        assert check.uid_of_peer(connection) == os.getuid()
        assert check.allows(connection)
        connection.close()
    check.close()


def test_a_peer_that_has_gone_is_not_taken_for_root() -> None:
    check = PeerCheck(allowed=frozenset({0}))
    with listening("127.0.0.1") as server:
        client = socket.create_connection(server.getsockname())
        client.sendall(b"fire and forget")
        client.close()  # the kernel says uid 0 for a socket without a process
        connection, _ = server.accept()
        assert check.uid_of_peer(connection) is None
        assert not check.allows(connection)
        connection.close()
    check.close()


def test_elsewhere_than_on_linux_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_user.sys, "platform", "darwin")
    with socket.socket() as never_connected:
        assert PeerCheck().allows(never_connected)
