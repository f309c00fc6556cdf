"""Whose process is at the other end of an accepted loopback connection. Loopback is not private on a shared host.

The kernel is asked for the peer's own socket (sock_diag, one exact query), else /proc/net/tcp is read. A socket that
no process holds any more is reported with uid 0 by the kernel: it counts as unknown, not as root. Unknown is refused.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_REQUEST = 1
_NLMSG_ERROR = 2
_AF_NETLINK = getattr(socket, "AF_NETLINK", 16)
_ANY_COOKIE = b"\xff" * 8
_HEADER = struct.Struct("=IHHII")
_UID_AND_INODE = struct.Struct("=II")
_UID_OFFSET = 16 + 64  # behind the netlink header: uid and inode of inet_diag_msg


class PeerCheck:
    """Keeps one netlink socket. Calls take about 50 microseconds and do not block."""

    def __init__(self, allowed: frozenset[int] | None = None) -> None:
        self._allowed = frozenset({os.getuid(), 0}) if allowed is None else allowed
        self._netlink: socket.socket | None = None
        self._sequence = 0

    def allows(self, connection: socket.socket) -> bool:
        """False also when the peer cannot be known on a platform where it can be asked for."""
        if not sys.platform.startswith("linux"):
            return True
        uid = self.uid_of_peer(connection)
        return uid is not None and uid in self._allowed

    def uid_of_peer(self, connection: socket.socket) -> int | None:
        try:
            peer, own = connection.getpeername(), connection.getsockname()
        except OSError:
            return None
        try:
            return self._by_netlink(connection.family, peer, own)
        except OSError:
            return _by_proc(connection.family, peer, own)

    def close(self) -> None:
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def _by_netlink(self, family: int, peer: tuple[str, int], own: tuple[str, int]) -> int | None:
        if self._netlink is None:
            self._netlink = socket.socket(_AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
            self._netlink.settimeout(1.0)
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        # The peer's socket: its source is our peer address, its destination is our own.
        identity = (
            struct.pack(">HH", peer[1], own[1])
            + _padded(family, peer[0])
            + _padded(family, own[0])
            + struct.pack("=I", 0)
            + _ANY_COOKIE
        )
        request = struct.pack("=BBBxI", family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + identity
        self._netlink.send(
            _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_REQUEST, self._sequence, 0) + request
        )
        while True:
            answer = self._netlink.recv(4096)
            _, kind, _, sequence, _ = _HEADER.unpack_from(answer)
            if sequence == self._sequence:
                break
        if kind == _NLMSG_ERROR:
            number = -struct.unpack_from("=i", answer, _HEADER.size)[0]
            if number == errno.ENOENT:
                return None
            raise OSError(number, os.strerror(number))
        uid, inode = _UID_AND_INODE.unpack_from(answer, _UID_OFFSET)
        return int(uid) if inode else None


def _padded(family: int, address: str) -> bytes:
    return socket.inet_pton(family, address.partition("%")[0]).ljust(16, b"\0")


def _by_proc(family: int, peer: tuple[str, int], own: tuple[str, int]) -> int | None:
    local, remote = _row(family, peer), _row(family, own)
    try:
        with open("/proc/net/tcp6" if family == socket.AF_INET6 else "/proc/net/tcp", encoding="ascii") as table:
            for line in table:
                fields = line.split()
                if fields[1] == local and fields[2] == remote:
                    return int(fields[7]) if fields[9] != "0" else None
    except OSError:
        pass
    return None


def _row(family: int, address: tuple[str, int]) -> str:
    """As the kernel prints it: each 32-bit word of the address in the order of the host."""
    packed = socket.inet_pton(family, address[0].partition("%")[0])
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"
