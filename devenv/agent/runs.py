"""The runs of this container and user: starting, listing, reading, attaching, ending.

A keeper does the work; here its record is told to the host, and a run without a keeper is found out and said to be
lost.
"""

import binascii
import signal

from . import descendants, launch, records, spool
from .attach import AttachChannel
from .watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from .loop import Loop
    from .peer import Peer

    Reply = Callable[[Any], None]
    Fail = Callable[[str, str, int | None], None]

_READ_MOST = 1 << 18
_AGAIN = 0.02  # seconds before a keeper that did not take the call is called again


class RunError(Exception):
    def __init__(self, code: str, message: str) -> None:
        Exception.__init__(self, message)
        self.code = code


class Runs:
    def __init__(self, loop: "Loop", peer: "Peer", path: str) -> None:
        self.loop = loop
        self.peer = peer
        self.path = path  # the folder of all runs; "" when there is no place for them
        self._watches: "dict[str, Watch]" = {}
        self._attached: "dict[str, list[AttachChannel]]" = {}
        self._ends: "dict[str, list[Reply]]" = {}
        self._relays = -1
        self._calling: "set[str]" = set()
        self._told: "dict[str, str]" = {}  # the state that the host knows of each run

    def discover(self) -> None:
        """Connects to every keeper that lives, and finds the runs that were lost."""
        for folder in records.folders(self.path):
            self._look(folder)

    def _look(self, folder: records.Folder) -> "dict[str, Any] | None":
        before = folder.read()
        record = folder.current()
        if record is None:
            return None
        if record["state"] in records.LIVE:
            self._watch(folder)
        elif before is not None and before.get("state") in records.LIVE:
            self._tell(record)
        return record

    def _tell(self, record: "dict[str, Any]") -> None:
        self._told[record["id"]] = record["state"]
        self.peer.event({"event": "run", "record": record})

    def _watch(self, folder: records.Folder) -> "Watch | None":
        watch = self._watches.get(folder.id)
        if watch is not None:
            return watch
        try:
            watch = Watch(
                self.loop,
                folder,
                self._tell,
                lambda: self._grown(folder.id),
                lambda: self._keeper_gone(folder),
            )
        except OSError:
            self._keeper_gone(folder)
            return None
        self._watches[folder.id] = watch
        return watch

    def _grown(self, id: str) -> None:
        for channel in list(self._attached.get(id, ())):
            channel.resume()

    def _keeper_gone(self, folder: records.Folder) -> None:
        """There is no line to the keeper: it has ended, or is on its last steps, or did not take the call."""
        self._watches.pop(folder.id, None)
        record = folder.current()
        if record is not None and record["state"] in records.LIVE:
            if folder.id not in self._calling:
                self._calling.add(folder.id)
                self.loop.call_later(_AGAIN, lambda: self._call_again(folder))
            return
        if record is None:
            record = {"id": folder.id, "state": "lost", "reason": "its record is gone"}
        if self._told.get(folder.id) != record["state"]:
            self._tell(record)  # its own last word did not reach us
        for reply in self._ends.pop(folder.id, []):
            reply(record)
        for channel in list(self._attached.get(folder.id, ())):
            channel.ended(record)

    def _call_again(self, folder: records.Folder) -> None:
        self._calling.discard(folder.id)
        watch = self._watch(folder)
        if watch is not None:
            if folder.id in self._ends:
                watch.ask("end")
            for channel in list(self._attached.get(folder.id, ())):
                self._join(channel, watch)

    def _join(self, channel: AttachChannel, watch: Watch) -> None:
        self._relays += 2
        channel.join(watch, self._relays)

    def _folder(self, params: "dict[str, Any]") -> records.Folder:
        # On the wire `id` is the request's own, so the run's is called `run`.
        id = params.get("run")
        if records.valid_id(id) and self.path:
            return records.Folder(self.path, str(id))
        raise RunError("no-run", "no such run: %r" % (id,))

    def _record(self, folder: records.Folder) -> "dict[str, Any]":
        record = self._look(folder)
        if record is None:
            raise RunError("no-run", "no such run: %s" % folder.id)
        return record

    # operations

    def start(self, params: "dict[str, Any]", reply: "Reply", fail: "Fail") -> None:
        run = params.get("run")
        if not isinstance(run, dict):
            raise ValueError("run must be an object")
        from . import detach, order  # with the keeper they are the biggest part: read when the first run starts

        wanted = order.Order(run)
        if not self.path:
            raise RunError("no-state", "no folder in the container can be written: runs have no place")

        def done(answer: "dict[str, Any]") -> None:
            if "record" in answer:
                record = answer["record"]
                self._watch(records.Folder(self.path, record["id"]))
                reply(record)
            else:
                error = answer.get("error") or {}
                fail(str(error.get("code")), str(error.get("message")), error.get("errno"))

        detach.start(self.loop, self.path, wanted, done)

    def list(self) -> "list[dict[str, Any]]":
        found = []
        for folder in records.folders(self.path):
            record = self._look(folder)
            if record is not None:
                found.append(record)
        return found

    def get(self, params: "dict[str, Any]") -> "dict[str, Any]":
        return self._record(self._folder(params))

    def remove(self, params: "dict[str, Any]") -> "dict[str, Any]":
        folder = self._folder(params)
        record = self._look(folder)
        self._told.pop(folder.id, None)
        if record is not None and record["state"] in records.LIVE:
            raise RunError("run-alive", "run %s has not ended" % folder.id)
        try:
            folder.remove()
        except FileNotFoundError:
            if record is None:
                raise RunError("no-run", "no such run: %s" % folder.id) from None
        return {}

    def read(self, params: "dict[str, Any]") -> "dict[str, Any]":
        """A piece of the output, for a viewport that pulls. Starts at the first kept byte at or after `offset`."""
        folder = self._folder(params)
        record = self._record(folder)
        size, holes = record.get("size") or 0, record.get("gaps") or []
        if params.get("tail_bytes") is not None:
            length = int(params["tail_bytes"])
            offset = max(0, size - length)
        else:
            offset, length = max(0, int(params.get("offset") or 0)), int(params.get("length") or _READ_MOST)
        length = min(max(length, 0), _READ_MOST)
        reader = spool.SpoolReader(folder.path)
        pieces: "list[bytes]" = []
        marks: "list[list[int]]" = []
        start = -1
        position = offset
        while length > 0:
            at, stream, data = reader.read(position, length)
            if not data or (start >= 0 and at != position):
                break  # the end, or a hole: the next call goes on behind it
            if start < 0:
                start = at
            if not marks or marks[-1][1] != stream:
                marks.append([at, stream])
            pieces.append(data)
            length -= len(data)
            position = at + len(data)
        reader.close()
        return {
            "start": offset if start < 0 else start,
            "end": position,
            "size": max(size, position),
            "gap": spool.largest(holes),
            "data": binascii.b2a_base64(b"".join(pieces), newline=False).decode("ascii"),
            "marks": marks,
            "state": record.get("state"),
        }

    def attach(
        self, params: "dict[str, Any]", peer: "Peer"
    ) -> "tuple[AttachChannel, dict[str, Any], Callable[[], None]]":
        """The channel, what to reply, and what to do once the reply is queued."""
        folder = self._folder(params)
        record = self._record(folder)
        size = int(record.get("size") or 0)
        if params.get("tail_bytes") is not None:
            offset = max(0, size - int(params["tail_bytes"]))
        else:
            offset = max(0, int(params.get("offset") or 0))
        with_input = bool(params.get("input"))
        channel = AttachChannel(self.loop, peer, int(params["channel"]), folder, offset, with_input, self._detached)
        self._attached.setdefault(folder.id, []).append(channel)

        def begin() -> None:
            watch = self._watches.get(folder.id)
            if watch is None:
                self._keeper_gone(folder)  # it has ended, or is called again
                return
            self._join(channel, watch)
            if params.get("rows") and params.get("columns") and record.get("tty"):
                channel.resize(int(params["rows"]), int(params["columns"]))
            channel.resume()

        return channel, {"start": offset, "gap": record.get("gap"), "size": size, "record": record}, begin

    def _detached(self, channel: AttachChannel) -> None:
        channels = self._attached.get(channel.folder.id, [])
        if channel in channels:
            channels.remove(channel)
        if not channels:
            self._attached.pop(channel.folder.id, None)
            watch = self._watches.get(channel.folder.id)
            if watch is not None:
                watch.ask("follow", on=False)

    def _live(self, params: "dict[str, Any]") -> "Watch":
        folder = self._folder(params)
        record = self._record(folder)
        watch = self._watches.get(folder.id)
        if record["state"] not in records.LIVE or watch is None:
            raise RunError("run-ended", "run %s has ended" % folder.id)
        return watch

    def signal(self, params: "dict[str, Any]") -> "dict[str, Any]":
        self._live(params).ask("signal", signal=launch.valid_signal(params.get("signal")))
        return {}

    def resize(self, params: "dict[str, Any]") -> "dict[str, Any]":
        self._live(params).ask("resize", rows=int(params["rows"]), columns=int(params["columns"]))
        return {}

    def end(self, params: "dict[str, Any]", reply: "Reply") -> None:
        folder = self._folder(params)
        record = self._record(folder)
        if record["state"] in records.LIVE:
            # Answered when the keeper has gone, with the record on disk: that is the final one in every case.
            self._ends.setdefault(folder.id, []).append(reply)
            watch = self._watches.get(folder.id)
            if watch is not None:
                watch.ask("end", force=bool(params.get("force")))
            return
        if record["state"] == "lost":
            # Nobody adopted what a killed keeper left: find it by the variable each run has in its environment.
            descendants.kill(descendants.of_run(folder.id), signal.SIGKILL)
        reply(record)

    def close(self) -> None:
        for watch in list(self._watches.values()):
            watch.close()
