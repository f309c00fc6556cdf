"""What the far side says without being asked: where something was written, what is there now, and small contents."""

from . import pack, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .place import Place

    Said = Any

MOST_FOLDERS = 64
MOST_TREE = 512 << 10  # bytes, compressed
MOST_CONTENTS = 64 << 10  # bytes in one frame: a moment on most networks


class News:
    """What was heard and not told yet."""

    def __init__(self) -> None:
        self.dirty = set()  # type: set[str]
        self.lost = False
        self.number = 0  # of the last frame
        self.given = set()  # type: set[bytes]
        """Contents that came from the host since the last frame: it has them."""
        self.stepped = False
        """Whether steps were made since the host was told a tree: what it takes for there is another one."""

    def hear(self, place: "Place") -> bool:
        """Whether there is anything to tell of what was written until now."""
        dirty, lost = place.settle()
        self.dirty |= dirty
        self.lost = self.lost or lost
        return bool(self.dirty) or self.lost

    def take(self) -> "tuple[list[str], bool]":
        found = sorted(self.dirty), self.lost
        self.dirty, self.lost = set(), False
        return found

    def goes(self, place: "Place", sent: "Any") -> bool:
        """Whether something is not there any more, as far as that is known."""
        change = self._change(place, sent)
        return change is not None and _lacks(change)

    def look(self, place: "Place", sent: "Any") -> "tuple[bytes, Any] | None":
        """(frame, or b"" where nothing differs; tree), to be told against the tree `sent`. None where the host has to
        ask: that would be much, or what is there is not known well enough."""
        change = self._change(place, sent)
        if change is None:
            return None
        if len(change) == 1 and not self.stepped:
            self.dirty = set()  # what was written there is what was there, or was looked at before
            return b"", place.tree
        packed = wire.packed(change)
        if len(packed) > MOST_TREE:
            return None
        try:
            replica = place.replica()
        except OSError:
            return None
        contents = dict(self._contents(place, change))
        self.number += 1
        header = {
            "number": self.number,
            "dirty": sorted(self.dirty),
            "replica": replica,
            "lacking": place.lacking,
            "contents": [(digest.hex(), len(data)) for digest, data in contents.items()],
        }
        self.dirty, self.given, self.stepped = set(), set(), False
        return wire.news(header, packed, list(contents.values())), place.tree

    def _change(self, place: "Place", sent: "Any") -> "Said":
        if self.lost or len(self.dirty) > MOST_FOLDERS or sent is None or sent[0] != "d" or place.tree is None:
            return None
        try:
            tree = place.scan(sorted(self.dirty))
        except OSError:
            return None  # whoever asks is told
        if tree is None or tree[0] != "d":
            return None
        return wire.delta(sent, tree)

    def _contents(self, place: "Place", change: "Said") -> "Iterator[tuple[bytes, bytes]]":
        left = MOST_CONTENTS
        for path, digest in _files(change, ""):
            if digest in self.given:
                continue
            data = pack.small(place.root, path, digest, left)
            if data is not None:
                left -= len(data)
                yield digest, data


def _files(change: "Said", folder: str) -> "Iterator[tuple[str, bytes]]":
    for name, said in change.items():
        if isinstance(said, dict):
            yield from _files(said, folder + name + "/")
        elif isinstance(said, str) and said[:1] in ("f", "x"):
            yield folder + name, bytes.fromhex(said[1:])


def _lacks(change: "Said") -> bool:
    return any(
        said is None or (isinstance(said, dict) and wire.SAME in said and _lacks(said)) for said in change.values()
    )
