"""What wakes the far side while nobody asks it for anything: the host, the watcher, and processes of the container."""

import binascii
import os
import select
import socket
import struct

_ANSWER = struct.Struct(">q")
_PEER = struct.Struct("3i")  # pid, uid, gid

UNKNOWN = -1
"""The host has to ask by itself."""


class Ears:
    """`name` is a door: an abstract unix socket where a process of the container asks how far the host has been told,
    "" where there are none of that kind. It ends with this process. In the host's network namespace everybody there can
    knock: only our own user and root are let in."""

    def __init__(self, source: int) -> None:
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self.name = ""
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.setblocking(False)
        name = "devenv-sync-" + binascii.hexlify(os.urandom(16)).decode("ascii")
        try:
            self._door.bind(b"\0" + name.encode("ascii"))
            self._door.listen(16)
            self.name = name
        except OSError:
            self._door.close()
        self._source = source
        self._all = [source, self._woken] + ([self._door.fileno()] if self.name else [])

    def wake(self) -> None:
        """From any thread: something was written."""
        try:
            os.write(self._wake, b".")
        except BlockingIOError:
            pass  # it is awake

    def wait(self, seconds: "float | None") -> "tuple[bool, bool, list[socket.socket]]":
        """(whether the host says something, whether something was written, those who knock)"""
        ready = select.select(self._all, [], [], seconds)[0]
        if self._woken in ready:
            os.read(self._woken, 64)
        knocked = self.name and self._door.fileno() in ready
        return self._source in ready, self._woken in ready, self._knocks() if knocked else []

    def _knocks(self) -> "list[socket.socket]":
        found = []  # type: list[socket.socket]
        while True:
            try:
                guest, _ = self._door.accept()
            except OSError:
                return found
            _, uid, _ = _PEER.unpack(guest.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
            if uid in (0, os.getuid()):
                found.append(guest)
            else:
                guest.close()

    def close(self) -> None:
        self._door.close()


def answer(guest: socket.socket, number: int) -> None:
    try:
        guest.send(_ANSWER.pack(number))
    except OSError:
        pass  # it has not waited
    guest.close()
