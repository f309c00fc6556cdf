"""Where a process of the same container asks how far the host has been told: what was written before is in it."""

import binascii
import os
import socket
import struct

_ANSWER = struct.Struct(">q")
_PEER = struct.Struct("3i")  # pid, uid, gid

UNKNOWN = -1
"""The host has to ask by itself."""


class Door:
    """An abstract unix socket, which ends with this process; none (`name` is "") where there are none of that kind. In
    the host's network namespace all its users can knock: only our own user and root are let in."""

    def __init__(self) -> None:
        self.name = ""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        name = "devenv-sync-" + binascii.hexlify(os.urandom(16)).decode("ascii")
        try:
            self._socket.bind(b"\0" + name.encode("ascii"))
            self._socket.listen(16)
        except OSError:
            self._socket.close()
            return
        self.name = name

    def fileno(self) -> int:
        return self._socket.fileno()

    def knocks(self) -> "list[socket.socket]":
        """Those who wait for an answer."""
        found = []  # type: list[socket.socket]
        while True:
            try:
                guest, _ = self._socket.accept()
            except OSError:
                return found
            _, uid, _ = _PEER.unpack(guest.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
            if uid in (0, os.getuid()):
                found.append(guest)
            else:
                guest.close()

    def close(self) -> None:
        self._socket.close()


def answer(guest: socket.socket, number: int) -> None:
    try:
        guest.send(_ANSWER.pack(number))
    except OSError:
        pass  # it has not waited
    guest.close()
