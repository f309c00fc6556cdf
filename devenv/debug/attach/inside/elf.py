"""Where functions lie in a process: its mappings, and the symbol tables of the files that are mapped."""

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

_DYNSYM, _SYMTAB = 11, 2
_MOST = 1 << 29  # bytes of a file that is read for its symbols


class Mapping:
    __slots__ = ("end", "flags", "offset", "path", "start")

    def __init__(self, start: int, end: int, flags: str, offset: int, path: str) -> None:
        self.start = start
        self.end = end
        self.flags = flags
        self.offset = offset
        self.path = path


def mappings(pid: int) -> "list[Mapping]":
    found = []
    with open("/proc/%d/maps" % pid, "rb") as file:
        for raw in file:
            parts = raw.decode("utf-8", "surrogateescape").rstrip("\n").split(None, 5)
            start, end = (int(part, 16) for part in parts[0].split("-"))
            found.append(Mapping(start, end, parts[1], int(parts[2], 16), parts[5] if len(parts) > 5 else ""))
    return found


def _file(pid: int, path: str) -> str:
    """Where a mapped file can be opened: in the process's own root; the interpreter also when it was replaced."""
    deleted = path.endswith(" (deleted)")
    link = "/proc/%d/exe" % pid
    try:
        if os.readlink(link) == path:
            return link
    except OSError:
        pass
    return "" if deleted else "/proc/%d/root%s" % (pid, path)


def _symbols(data: bytes, names: "Iterable[str]") -> "dict[str, int]":
    """Addresses of defined symbols, as the file has them (without the load bias)."""
    table_at, count = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<H", data, 60)[0]
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table_at + 64 * index) for index in range(count)]
    found = {}  # type: dict[str, int]
    for wanted_kind in (_DYNSYM, _SYMTAB):
        for section in sections:
            if section[1] != wanted_kind:
                continue
            strings = sections[section[6]]
            text = data[strings[4] : strings[4] + strings[5]]
            places = {}  # type: dict[int, str]
            for name in names:
                if name in found:
                    continue
                needle = name.encode("ascii") + b"\0"
                at = text.find(needle)
                while at >= 0:
                    places[at] = name
                    at = text.find(needle, at + 1)
            if not places:
                continue
            body = data[section[4] : section[4] + section[5] // 24 * 24]
            for where, info, _, index, value, _ in struct.iter_unpack("<IBBHQQ", body):
                if index and value and where in places and info & 15 in (0, 1, 2):
                    found.setdefault(places[where], value)
    return found


def _bias(data: bytes, first: Mapping) -> int:
    """What to add to the file's addresses."""
    kind = struct.unpack_from("<H", data, 16)[0]
    if kind != 3:  # ET_EXEC lies where it says
        return 0
    at, size, count = (
        struct.unpack_from("<Q", data, 32)[0],
        struct.unpack_from("<H", data, 54)[0],
        struct.unpack_from("<H", data, 56)[0],
    )
    for index in range(count):
        entry = at + size * index
        if struct.unpack_from("<I", data, entry)[0] == 1:
            offset, address = struct.unpack_from("<QQ", data, entry + 8)
            return int(first.start - first.offset - (address - offset))
    return first.start


class Symbols:
    """Finds functions of one process. Files are read once."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.maps = mappings(pid)
        self._data = {}  # type: dict[str, bytes]

    def modules(self, accept: "tuple[str, ...]" = ()) -> "list[str]":
        """Mapped files with code, in the order of their addresses; those whose name contains one of `accept` first."""
        paths = []  # type: list[str]
        for mapping in self.maps:
            if mapping.path.startswith("/") and "x" in mapping.flags and mapping.path not in paths:
                paths.append(mapping.path)
        return sorted(paths, key=lambda path: not any(part in os.path.basename(path) for part in accept))

    def find(self, names: "Iterable[str]", path: str) -> "dict[str, int]":
        """Addresses in the process of those of `names` that the mapped file `path` defines."""
        data = self._read(path)
        if data[:6] != b"\x7fELF\x02\x01":
            return {}
        first = next(mapping for mapping in self.maps if mapping.path == path)
        try:
            bias = _bias(data, first)
            return {name: value + bias for name, value in _symbols(data, names).items()}
        except (struct.error, IndexError):
            return {}

    def _read(self, path: str) -> bytes:
        if path not in self._data:
            try:
                with open(_file(self.pid, path), "rb") as file:
                    self._data[path] = file.read(_MOST)
            except OSError:
                self._data[path] = b""
        return self._data[path]

    def executable(self, address: int) -> bool:
        return any(item.start <= address < item.end and "x" in item.flags for item in self.maps)
