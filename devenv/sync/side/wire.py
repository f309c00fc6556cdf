"""What goes between the two sides: frames over one stream, and trees as JSON.

    frame = kind:u8 length:u32 payload

A request (JSON) is answered by one reply (JSON), in order; long ones come in `PART` frames and a last one of their own
kind. Contents and trees come in data frames: behind a request and before `END`, or before the reply. `STOP` comes at
any time. After `ARM` and until the next request the far side may say once, unasked, that something was written: by
`NEWS`, which holds what it found there, or by an `EVENT` where that would be long. So no tree is ever told against
another than the last one.

A tree is written as: null nothing · "f" + hex a file, "x" one that is executable · "l" + target a link · "u" not
tracked · "p" + text a problem · {name: tree} a folder. In a delta a folder that has the member "/" is told only in what
has changed, null for what is gone.
"""

import hashlib
import json
import struct
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = tuple[Any, ...]
    Said = Any

MAGIC = b"\0\xffdevenv-sync\n1\0\n"
REQUEST, REPLY, DATA, END, EVENT, STOP, PART, NEWS, ARM = range(1, 10)
MOST = 2 << 20  # bytes of a frame
TEXT = 1 << 20  # bytes of data in one frame
MOST_TREE = 512 << 20  # bytes of one, as JSON
SAME = "/"
_HEAD = struct.Struct(">BI")
_NEWS = struct.Struct(">II")


class Broken(ValueError):
    """The other side does not keep to this."""


def frame(kind: int, payload: bytes = b"") -> bytes:
    return _HEAD.pack(kind, len(payload)) + payload


def message(kind: int, value: "Any") -> bytes:
    text = json.dumps(value, separators=(",", ":")).encode("ascii")
    if len(text) <= TEXT:
        return frame(kind, text)
    pieces = [text[at : at + TEXT] for at in range(0, len(text), TEXT)]
    return b"".join([frame(PART, piece) for piece in pieces[:-1]] + [frame(kind, pieces[-1])])


class Frames:
    """Frames out of a stream, messages whole. Raises Broken, also for a message of more than `most` bytes."""

    def __init__(self, most: int = 1 << 30) -> None:
        self._most = most
        self._buffer = bytearray()
        self._parts = bytearray()

    def feed(self, data: bytes) -> "list[tuple[int, bytes]]":
        buffer = self._buffer
        buffer += data
        found = []
        at = 0
        while len(buffer) - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(buffer, at)
            if length > MOST or not REQUEST <= kind <= ARM:
                raise Broken("a frame of %d bytes, of kind %d" % (length, kind))
            end = at + _HEAD.size + length
            if len(buffer) < end:
                break
            with memoryview(buffer) as view:
                payload = bytes(view[at + _HEAD.size : end])
            at = end
            if kind == PART or (self._parts and kind in (REQUEST, REPLY)):
                self._parts += payload
                if len(self._parts) > self._most:
                    raise Broken("a message of more than %d bytes" % self._most)
                if kind == PART:
                    continue
                payload = bytes(self._parts)
                self._parts.clear()
            found.append((kind, payload))
        del buffer[:at]
        return found


def news(header: "Said", tree: bytes, contents: "list[bytes]") -> bytes:
    """A frame. `header["contents"]` are the digests (hex) and sizes of what is in `contents`, in its order."""
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    return frame(NEWS, b"".join([_NEWS.pack(len(text), len(tree)), text, tree] + contents))


def told(payload: bytes) -> "tuple[Said, bytes, dict[bytes, bytes]]":
    """(header, tree, contents by their digests) of a `NEWS` frame. Raises Broken."""
    try:
        length, tree = _NEWS.unpack_from(payload)
        at = _NEWS.size + length
        header = json.loads(payload[_NEWS.size : at].decode("ascii"))
        end = at + tree
        contents = {}
        for digest, size in header["contents"]:
            if size < 0:
                raise ValueError("less than nothing")
            contents[bytes.fromhex(digest)] = payload[end : end + size]
            end += size
    except (struct.error, ValueError, LookupError, TypeError, RecursionError) as error:
        raise Broken("news of no known form: %s" % (error,)) from None
    if end != len(payload):
        raise Broken("news of another length")
    return header, payload[at : at + tree], contents


def say(node: "Tree | None") -> "Said":
    if node is None:
        return None
    kind = node[0]
    if kind == "d":
        return {name: say(child) for name, child in node[1].items()}
    if kind == "f":
        return ("x" if node[2] else "f") + node[1].hex()
    return kind + (node[1] if kind in "lp" else "")


def hear(said: "Said") -> "Tree | None":
    """Of what is no delta. Raises Broken."""
    if said is None:
        return None
    if isinstance(said, dict):
        return ("d", {name: hear(child) for name, child in said.items()})
    if not isinstance(said, str) or not said:
        raise Broken("a tree of no known form")
    kind, rest = said[0], said[1:]
    if kind in "fx":
        try:
            return ("f", bytes.fromhex(rest), kind == "x")
        except ValueError:
            raise Broken("a digest that is none") from None
    if kind in "lp":
        return (kind, rest)
    if kind == "u":
        return ("u",)
    raise Broken("a tree of no known form")


def delta(old: "Tree", new: "Tree") -> "Said":
    """What makes one folder the other. What is the same object is not looked into."""
    told = {SAME: 0}  # type: dict[str, Any]
    before = old[1]
    for name, child in new[1].items():
        was = before.get(name)
        if was is child:
            continue
        if was is None or was[0] != "d" or child[0] != "d":
            if was != child:
                told[name] = say(child)
            continue
        change = delta(was, child)
        if len(change) > 1:
            told[name] = change
    for name in before:
        if name not in new[1]:
            told[name] = None
    return told


def tracked(node: "Tree") -> "Said":
    """The tree without what is not tracked and could not be read."""
    return {
        name: tracked(child) if child[0] == "d" else say(child)
        for name, child in node[1].items()
        if child[0] not in ("u", "p")
    }


def others(node: "Tree") -> "Said":
    """What `tracked` leaves out, as a delta to it."""
    told = {SAME: 0}  # type: dict[str, Any]
    for name, child in node[1].items():
        if child[0] == "d":
            change = others(child)
            if len(change) > 1:
                told[name] = change
        elif child[0] in ("u", "p"):
            told[name] = say(child)
    return told


def fingerprint(said: "Said") -> str:
    """Of a tree that is no delta; equal ones have equal ones."""
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def packed(said: "Said") -> bytes:
    return zlib.compress(json.dumps(said, separators=(",", ":")).encode("ascii"), 1)


def unpacked(data: bytes, most: int = MOST_TREE) -> "Said":
    """Raises Broken."""
    opener = zlib.decompressobj()
    try:
        text = opener.decompress(data, most)
        if opener.unconsumed_tail or not opener.eof:
            raise Broken("more than %d bytes, or not all of them" % most)
        return json.loads(text.decode("ascii"))
    except (zlib.error, ValueError, RecursionError) as error:
        raise Broken("a tree that cannot be read: %s" % (error,)) from None
