"""A tar archive read as it arrives, and nothing in it believed: no absolute name, no `..`, no link that leads outside,
no device. `tarfile` cannot be fed, takes 20 ms to import, and is absent from a minimal Python.

ustar, with the GNU and pax records for long names; regular files, folders, hard and symbolic links.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

BLOCK = 512
_LONG = 1 << 20  # bytes of a long name or of pax records


class TarError(Exception):
    """The archive is damaged, or tries to write where it must not."""


class TarStream:
    """Writes into folder `root`, which must exist and be nobody else's."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._buffer = bytearray()
        self._file: "BinaryIO | None" = None
        self._mode = 0
        self._left = 0  # content bytes of the current member still to come
        self._padding = 0
        self._long = b""  # "x", "L", ... while such a record is being gathered
        self._gathered = bytearray()
        self._name: "bytes | None" = None
        self._link: "bytes | None" = None
        self._size: "int | None" = None
        self._folders: "list[tuple[bytes, int]]" = []
        self._links: "set[bytes]" = set()
        self.finished = False

    def feed(self, data: bytes) -> None:
        """`TarError` or `OSError` when it cannot go on."""
        buffer = self._buffer
        buffer += data
        while buffer and not self.finished:
            if self._left:
                piece = bytes(buffer[: self._left])
                del buffer[: len(piece)]
                self._left -= len(piece)
                self._content(piece)
                if not self._left:
                    self._member_done()
            elif self._padding:
                count = min(self._padding, len(buffer))
                del buffer[:count]
                self._padding -= count
            elif len(buffer) >= BLOCK:
                block = bytes(buffer[:BLOCK])
                del buffer[:BLOCK]
                self._header(block)
            else:
                return
        if self.finished:
            del buffer[:]

    def end(self) -> None:
        """No more bytes come."""
        if self._left or self._padding or self._buffer:
            raise TarError("the archive is cut short")
        for path, mode in reversed(self._folders):
            os.chmod(path, mode)

    def abort(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _content(self, piece: bytes) -> None:
        if self._file is not None:
            self._file.write(piece)
        elif self._long:
            self._gathered += piece

    def _member_done(self) -> None:
        if self._file is not None:
            os.fchmod(self._file.fileno(), self._mode)
            self._file.close()
            self._file = None
        elif self._long:
            kind, self._long = self._long, b""
            data = bytes(self._gathered)
            self._gathered = bytearray()
            if kind == b"L":
                self._name = data.rstrip(b"\0")
            elif kind == b"K":
                self._link = data.rstrip(b"\0")
            elif kind == b"x":
                self._pax(data)

    def _pax(self, data: bytes) -> None:
        while data:
            head, space, _ = data.partition(b" ")
            if not space or not head.isdigit() or not len(head) + 1 < int(head) <= len(data):
                raise TarError("damaged pax record")
            key, equals, value = data[len(head) + 1 : int(head)].rstrip(b"\n").partition(b"=")
            data = data[int(head) :]
            if not equals:
                raise TarError("damaged pax record")
            if key == b"path":
                self._name = value
            elif key == b"linkpath":
                self._link = value
            elif key == b"size":
                if not value.isdigit():
                    raise TarError("damaged pax record")
                self._size = int(value)

    def _header(self, block: bytes) -> None:
        if block == bytes(BLOCK):
            self.finished = True
            return
        stored = _number(block[148:156])
        if stored != sum(block) - sum(block[148:156]) + 8 * 32:
            raise TarError("damaged header")
        kind = block[156:157]
        size = _number(block[124:136])
        if kind in (b"x", b"g", b"L", b"K"):
            if size > _LONG:
                raise TarError("a name is too long")
            self._long = kind
            self._begin(size)
            return
        name = _text(block[0:100])
        if block[257:262] == b"ustar" and block[257:265] != b"ustar  \0" and block[345]:
            name = _text(block[345:500]) + b"/" + name
        link = _text(block[157:257])
        name, self._name = (name if self._name is None else self._name), None
        link, self._link = (link if self._link is None else self._link), None
        size, self._size = (size if self._size is None else self._size), None
        mode = _number(block[100:108]) & 0o777
        self._member(kind, name, link, mode, size)

    def _begin(self, size: int) -> None:
        self._left = size
        self._padding = -size % BLOCK
        if not size:
            self._member_done()

    def _member(self, kind: bytes, name: bytes, link: bytes, mode: int, size: int) -> None:
        path = self._inside(name)
        if kind == b"5" or (kind in (b"0", b"\0") and name.endswith(b"/")):
            os.makedirs(path, 0o700, exist_ok=True)
            self._folders.append((path, mode or 0o755))
            self._begin(size)
            return
        if path == self._root:
            raise TarError("a file without a name")
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        if kind in (b"0", b"\0", b"7"):
            _remove(path)
            self._links.discard(path)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            self._file = open(fd, "wb", 1 << 16)  # noqa: SIM115 - closed at its last byte
            self._mode = mode or 0o644
            self._begin(size)
        elif kind == b"2":
            where = os.path.normpath(os.path.join(os.path.dirname(path), link))
            if link.startswith(b"/") or not _below(where, self._root):
                raise TarError("a link leads outside: %r" % name)
            _remove(path)
            os.symlink(link, path)
            self._links.add(path)
            self._begin(size)
        elif kind == b"1":
            target = self._inside(link)
            _remove(path)
            os.link(target, path, follow_symlinks=False)
            self._begin(size)
        else:
            raise TarError("neither a file, a folder nor a link: %r" % name)

    def _inside(self, name: bytes) -> bytes:
        """The path of a member; no step of it may be a link, whoever made that."""
        if name.startswith(b"/") or b"\0" in name:
            raise TarError("a name leads outside: %r" % name)
        parts = [part for part in name.split(b"/") if part not in (b"", b".")]
        if b".." in parts:
            raise TarError("a name leads outside: %r" % name)
        path = self._root
        for part in parts[:-1]:
            path = os.path.join(path, part)
            if path in self._links:
                raise TarError("a name goes through a link: %r" % name)
        return os.path.join(self._root, *parts) if parts else self._root


def _remove(path: bytes) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _below(path: bytes, root: bytes) -> bool:
    return path == root or path.startswith(root + b"/")


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU: binary, for what octal digits cannot hold
        return int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big")
    digits = field.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        raise TarError("damaged header") from None
