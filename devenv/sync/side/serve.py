"""The far side's process: requests on stdin, answers and news on stdout, until stdin ends."""

import ctypes
import gc
import json
import os
import select
import sys
import threading
import time

from . import renaming, wire
from .ears import UNKNOWN, Ears, answer
from .news import News
from .pack import Broken
from .place import Place
from .receiver import Receiver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Said = dict[str, Any]

_READ = 1 << 16  # a pipe holds no more, and a larger buffer is new pages each time
_MANY = 1000  # steps
_FLUSH = 32 << 20  # bytes
_GATHER = 0.01  # seconds: an editor's save is several events
_GOING = 0.05  # seconds more where something was deleted: much that is being deleted is asked about, not followed


def _trim() -> None:
    """What much work has left behind goes back to the system: this process may live for weeks."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))


class Flusher:
    """Brings to the disk what was written while more of it comes, and what is left while the host thinks about the
    steps. Whoever needs it durable asks for that himself. `folder` is a descriptor and stays the caller's."""

    def __init__(self, folder: int) -> None:
        self._folder = os.dup(folder)
        self._more = threading.Condition()
        self._written = 0
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="flush", daemon=True)

    def __enter__(self) -> "Flusher":
        self._thread.start()
        return self

    def __exit__(self, *_: "Any") -> None:
        with self._more:
            self._ended = True
            self._more.notify()

    def wrote(self, size: int) -> None:
        with self._more:
            self._written += size
            if self._written > _FLUSH:
                self._more.notify()

    def _run(self) -> None:
        ended = False
        while not ended:
            with self._more:
                while self._written <= _FLUSH and not self._ended:
                    self._more.wait()
                self._written = 0
                ended = self._ended
            renaming.flush(self._folder)
        os.close(self._folder)


def _unheard() -> None:
    pass


class Server:
    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._frames = wire.Frames()
        self._waiting = []  # type: list[tuple[int, bytes]]
        self._ears = None  # type: Ears | None
        self._news = News()
        self._due = None  # type: float | None
        """When the host is to be told that something was written; before it may be, if it is not armed."""
        self._armed = False
        self._going = False  # a moment was given to whoever deletes
        self._place = None  # type: Place | None
        self._sent = None  # type: Any
        self._expected = ""

    def run(self) -> None:
        """Raises Broken for a host that does not keep to the format."""
        self._ears = Ears(self._source)
        gc.disable()  # trees have no cycles, and looking for some takes as long as scanning
        try:
            while True:
                self._take_frame(*self._idle(self._ears))
        except EOFError:
            pass
        finally:
            self._ears.close()
            if self._place is not None:
                self._place.close()

    def _take_frame(self, kind: int, payload: bytes) -> None:
        if kind == wire.REQUEST:
            self._armed = False
            self._answer(json.loads(payload.decode("ascii")))
        elif kind == wire.ARM:
            self._armed = True
        elif kind not in (wire.DATA, wire.END, wire.STOP):  # of a request that was refused, or done already
            raise wire.Broken("a frame of kind %d" % kind)

    def _idle(self, ears: "Ears") -> "tuple[int, bytes]":
        """The next frame. Until it comes the host is told what it wants to know at once."""
        while not self._waiting:
            due = self._due if self._armed else None
            came, moved, guests = ears.wait(None if due is None else max(0.0, due - time.monotonic()))
            if came:
                self._read()
                while self._waiting and self._waiting[-1][0] == wire.ARM:
                    self._waiting.pop()
                    self._armed = True
            if moved:
                self._due = self._due or time.monotonic() + _GATHER
            for guest in guests:
                answer(guest, self._told())
            if self._armed and self._due is not None and time.monotonic() >= self._due:
                self._tell()
        return self._waiting.pop()

    def _read(self) -> None:
        data = os.read(self._source, _READ)
        if not data:
            raise EOFError()
        self._waiting = self._frames.feed(data)[::-1]

    def _told(self) -> int:
        """The number of the news that hold all that was written until now."""
        place = self._place
        if place is None or not place.watching:
            return UNKNOWN
        if not self._news.hear(place):
            return self._news.number
        if self._armed and self._look(place):
            return self._news.number
        self._due = self._due or time.monotonic()
        return UNKNOWN

    def _tell(self) -> None:
        self._due = None
        place = self._place
        if place is None or not self._news.hear(place):
            return
        if not self._going and self._news.goes(place, self._sent):
            self._going, self._due = True, time.monotonic() + _GOING
        elif not self._look(place):
            self._armed = False
            self._send(wire.frame(wire.EVENT))

    def _look(self, place: Place) -> bool:
        self._going = False
        found = self._news.look(place, self._sent)
        if found is None:
            return False
        frame, self._sent = found
        self._due = None
        if frame:
            self._armed = False
            self._send(frame)
        return True

    def _next(self) -> "tuple[int, bytes]":
        while not self._waiting:
            self._read()
        return self._waiting.pop()

    def _stopped(self) -> bool:
        """Whether the host wants no more of what is being sent."""
        while not self._waiting and select.select([self._source], [], [], 0)[0]:
            data = os.read(self._source, _READ)
            if not data:
                return True
            self._waiting = self._frames.feed(data)[::-1]
        if self._waiting and self._waiting[-1][0] == wire.STOP:
            self._waiting.pop()
            return True
        return False

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._sink, left) :]

    def _answer(self, request: "Said") -> None:
        try:
            if self._place is None:
                result = self._hello(request)
            else:
                result = getattr(self, "_on_" + request["op"])(self._place, request)
            answer = {"ok": True, "result": result}  # type: dict[str, Any]
        except OSError as error:
            answer = {"ok": False, "errno": error.errno or 0, "text": error.strerror or str(error)}
        self._send(wire.message(wire.REPLY, answer))

    def _hello(self, request: "Said") -> "Any":
        self._send(wire.MAGIC)
        place = Place(request["root"], request["umask"])
        if request["rules"] is not None:
            place.use_rules(request["rules"])
        self._place = place
        return {
            "python": sys.executable or "",
            "staged": place.is_staged(),
            "door": self._ears.name if self._ears is not None else "",
        }

    def _on_scan(self, place: Place, request: "Said") -> "Any":
        tree = place.scan(request["dirty"], request["rehash"])
        sent, self._sent = self._sent, tree
        self._news.stepped = False
        if tree is None or tree[0] != "d":
            form, said = "whole", wire.say(tree)  # type: tuple[str, Any]
        elif request["base"] == "last" and sent is not None and sent[0] == "d":
            form, said = "delta", wire.delta(sent, tree)
        elif request["base"] not in ("", "last") and wire.fingerprint(wire.tracked(tree)) == request["base"]:
            form, said = "expected", wire.others(tree)
        else:
            form, said = "whole", wire.say(tree)
        packed = wire.packed(said)
        for at in range(0, len(packed), wire.TEXT):
            self._send(wire.frame(wire.DATA, packed[at : at + wire.TEXT]))
        if len(packed) > wire.TEXT:
            _trim()
        return {"form": form, "replica": place.replica(), "hashed": place.scanner.hashed, "lacking": place.lacking}

    def _on_replica(self, place: Place, request: "Said") -> "Any":
        return place.replica(request["new"])

    def _on_missing(self, place: Place, request: "Said") -> "Any":
        found = place.missing([bytes.fromhex(digest) for digest in request["digests"]])
        return {digest.hex(): size for digest, size in found.items()}

    def _on_blocks(self, place: Place, request: "Said") -> "Any":
        return {path: found.hex() for path, found in place.blocks(request["paths"]).items()}

    def _on_big(self, place: Place, request: "Said") -> "Any":
        return place.big(request["paths"])

    def _on_large(self, place: Place, request: "Said") -> "Any":
        return place.large()

    def _on_pack(self, place: Place, request: "Said") -> "Any":
        wanted = [(bytes.fromhex(one[0]), one[1], one[2], bytes.fromhex(one[3])) for one in request["wanted"]]
        for data in place.pack(wanted):
            if self._stopped():
                break
            for at in range(0, len(data), wire.TEXT):
                self._send(wire.frame(wire.DATA, data[at : at + wire.TEXT]))
        self._send(wire.frame(wire.END))
        return None

    def _on_apply(self, place: Place, request: "Said") -> "Any":
        steps = [(path, wire.hear(before), wire.hear(after)) for path, before, after in request["steps"]]
        self._news.stepped = True
        self._news.given.update([after[1] for _, _, after in steps if after is not None and after[0] == "f"])
        if not request["contents"]:
            return place.apply(steps, request["cycle"])
        with place.receive(steps) as coming:
            self._take(coming.receiver)
            try:
                return place.apply(steps, request["cycle"], coming)
            finally:
                if len(steps) > _MANY:
                    _trim()

    def _on_stage(self, place: Place, request: "Said") -> "Any":
        with place.receive_ahead() as coming:
            with Flusher(coming.applier.contents.folder) as flusher:
                self._take(coming.receiver, flusher)
            return {"whole": not coming.receiver.refused and not coming.receiver.failed}

    def _take(self, receiver: Receiver, flusher: "Flusher | None" = None) -> None:
        """What comes until it ends, or as much of it as is wanted."""
        stopped = False
        while True:
            kind, payload = self._next()
            if kind == wire.END:
                return
            if kind != wire.DATA:
                raise Broken("contents that do not end")
            if stopped:
                continue
            receiver.feed(payload)
            if flusher is not None:
                flusher.wrote(len(payload))
            if receiver.refused:
                stopped = True
                self._send(wire.frame(wire.STOP))

    def _on_settle(self, place: Place, request: "Said") -> "Any":
        if not place.watching:
            place.watch(self._ears.wake if self._ears is not None else _unheard)
        self._due = None
        if self._news.hear(place):
            self._look(place)
        dirty, lost = self._news.take()
        return {"dirty": dirty, "lost": lost}

    def _on_rules(self, place: Place, request: "Said") -> "Any":
        place.use_rules(request["rules"])

    def _on_described(self, place: Place, request: "Said") -> "Any":
        return place.described([str(path) for path in request["paths"]])

    def _on_trashed(self, place: Place, request: "Said") -> "Any":
        return place.trashed()

    def _on_restore(self, place: Place, request: "Said") -> "Any":
        self._news.stepped = True
        return place.restore(request["cycle"])
