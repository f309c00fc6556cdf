"""What listens in the container's network, and whose it is.

The kernel's `sock_diag` answers in a tenth of a millisecond whatever the number of connections, also to `nobody`
(sock_diag(7)); where it is denied, /proc/net/tcp is read. Owners are looked up once for each new socket, because that
walks /proc.
"""

import errno
import os
import socket
import struct

from .launch import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Listener = tuple[int, int, str, int, int]  # port, family (4 or 6), address, uid, inode

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_DUMP = 0x301
_LISTEN = 10
_ERROR = 2
_DONE = 3
_TRIES = 3  # polls in which the owner of a new socket is looked for


def listeners() -> "list[Listener]":
    """Every TCP socket that listens, in a fixed order."""
    try:
        found = _by_netlink()
    except OSError:
        found = _by_proc()
    return sorted(set(found))


def ephemeral_ports() -> "list[int]":
    """The range from which this network takes ports for outgoing connections, [] when it cannot be read."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
            return [int(word) for word in file.read(64).split()]
    except (OSError, ValueError):
        return []


def _by_netlink() -> "list[Listener]":
    found: "list[Listener]" = []
    sock = socket.socket(16, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
    try:
        sock.settimeout(1.0)
        for family in (socket.AF_INET, socket.AF_INET6):
            request = struct.pack("=BBBxI48x", family, socket.IPPROTO_TCP, 0, 1 << _LISTEN)
            sock.send(struct.pack("=IHHII", 16 + len(request), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + request)
            more = True
            while more:
                more = _parse(sock.recv(1 << 16), found)
    finally:
        sock.close()
    return found


def _parse(data: bytes, found: "list[Listener]") -> bool:
    offset = 0
    while offset + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, offset)
        if kind == _DONE or length < 16:
            return False
        if kind == _ERROR:
            number = -struct.unpack_from("=i", data, offset + 16)[0]
            if number == errno.ENOENT:
                return False  # this family is not built in
            raise OSError(number, os.strerror(number))
        family = data[offset + 16]
        port = struct.unpack_from(">H", data, offset + 20)[0]
        size = 4 if family == socket.AF_INET else 16
        address = socket.inet_ntop(family, data[offset + 24 : offset + 24 + size])
        uid, inode = struct.unpack_from("=II", data, offset + 80)
        found.append((port, 4 if size == 4 else 6, address, uid, inode))
        offset += (length + 3) & ~3
    return True


def _by_proc() -> "list[Listener]":
    found = []
    for name, family, number in (("tcp", socket.AF_INET, 4), ("tcp6", socket.AF_INET6, 6)):
        try:
            with open("/proc/net/" + name) as table:
                rows = table.read().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            part = row.split()
            if int(part[3], 16) != _LISTEN:
                continue
            digits, port = part[1].split(":")
            # The kernel prints each 32-bit word of the address in the order of the host.
            words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
            address = socket.inet_ntop(family, struct.pack("=%dI" % len(words), *words))
            found.append((int(port, 16), number, address, int(part[7]), int(part[9])))
    return found


class Owner:
    """The process behind a socket; all None when it belongs to another user."""

    def __init__(self) -> None:
        self.pid: "int | None" = None
        self.cmdline: "list[str] | None" = None
        self.cwd: "str | None" = None
        self.tries = 0


class Listening:
    """Remembers owners between polls."""

    def __init__(self) -> None:
        self._owners: "dict[int, Owner]" = {}

    def look(self) -> "list[dict[str, Any]]":
        """The listeners as the protocol gives them."""
        found = listeners()
        present = {item[4] for item in found}
        self._owners = {inode: owner for inode, owner in self._owners.items() if inode in present}
        wanted = set()
        for inode in present:
            owner = self._owners.setdefault(inode, Owner())
            if owner.pid is None and owner.tries < _TRIES:
                owner.tries += 1
                wanted.add(inode)
        if wanted:
            self._find(wanted)
        out = []
        for port, family, address, uid, inode in found:
            owner = self._owners[inode]
            entry: "dict[str, Any]" = {"port": port, "family": family, "address": address, "uid": uid, "inode": inode}
            entry.update(pid=owner.pid, cmdline=owner.cmdline, cwd=owner.cwd)
            out.append(entry)
        return out

    def _find(self, wanted: "set[int]") -> None:
        targets = {b"socket:[%d]" % inode: inode for inode in wanted}
        for entry in os.listdir(b"/proc"):
            if not entry.isdigit():
                continue
            folder = b"/proc/" + entry
            try:
                numbers = os.listdir(folder + b"/fd")
            except OSError:
                continue  # another user's, or gone
            for number in numbers:
                try:
                    inode = targets.get(os.readlink(folder + b"/fd/" + number))
                except OSError:
                    continue
                # The lowest pid wins: servers that fork workers share the socket with them.
                if inode is not None and (self._owners[inode].pid or 1 << 30) > int(entry):
                    _describe(self._owners[inode], folder, int(entry))


def _describe(owner: Owner, folder: bytes, pid: int) -> None:
    owner.pid = pid
    try:
        with open(folder + b"/cmdline", "rb") as file:
            owner.cmdline = [to_text(part) for part in file.read(1 << 16).rstrip(b"\0").split(b"\0")]
        owner.cwd = to_text(os.readlink(folder + b"/cwd"))
    except OSError:
        pass
