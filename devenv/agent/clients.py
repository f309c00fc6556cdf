"""The agents that are connected to a keeper, and what each may do. A client is never waited for."""

import os

from . import frames, launch, records
from .channels import Channel, Inlet, Table, window
from .peer import Peer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

    from .keeper import Keeper


class InputChannel(Channel):
    """One attached client that may write to the program."""

    def __init__(self, client: "Client", id: int) -> None:
        Channel.__init__(self, client.peer, id)
        self._keeper = client.keeper
        self._inlet: "Inlet | None" = None
        if self._keeper.stdin >= 0:
            fd = os.dup(self._keeper.stdin)
            self._inlet = Inlet(self._keeper.loop, fd, window(client.peer, id), self._keeper.close_stdin)

    def received(self, stream: int, data: bytes) -> None:
        if self._inlet is not None:
            self._inlet.put(data)
        else:  # the program's input has ended: taken and thrown away, so that the sender is never stuck
            window(self.peer, self.id)(len(data))

    def received_eof(self, stream: int) -> None:
        if self._inlet is not None:
            self._inlet.put_eof()

    def close_input(self) -> None:
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None

    def closed(self) -> None:
        Channel.closed(self)
        self.close_input()


class Client:
    """One agent that is connected to this keeper."""

    def __init__(self, keeper: "Keeper", sock: "socket.socket") -> None:
        self.keeper = keeper
        self.table = Table()
        self.follows = False
        self.told = -1
        self._pushed = 0  # the offset up to which unstored output was sent
        self._pushing = False
        self.ends: "list[Any]" = []
        self._sock = sock
        fd = sock.fileno()
        self.peer = Peer(keeper.loop, fd, fd, sock, self._frame, self._ended)

    def _ended(self, reason: str) -> None:
        self.keeper.left(self)
        self._sock.close()

    def _frame(self, kind: int, channel: int, payload: bytes) -> None:
        if kind != frames.REQUEST:
            before = len(self.table.channels)
            self.table.frame(kind, channel, payload)
            if len(self.table.channels) != before:
                self.keeper.changed()
            return
        params = frames.decode_json(payload)
        id = params.get("id")
        try:
            self._request(id, str(params.get("op")), params)
        except (ValueError, TypeError, KeyError) as error:
            self.peer.fail(id, "bad-request", str(error))

    def _request(self, id: "Any", op: str, params: "dict[str, Any]") -> None:
        keeper = self.keeper
        if op == "watch":
            self.peer.reply(id, {"v": records.VERSION, "record": keeper.record, "size": keeper.spool.end})
        elif op == "follow":
            self.follows = bool(params.get("on", True))
            if self.follows:
                self.told = -1
                self._pushed = 0
                self.push_unstored()
            self.peer.reply(id, {"size": keeper.spool.end})
            keeper.tell_sizes()
        elif op == "attach":
            self.table.open(InputChannel(self, int(params["channel"])))
            self.peer.reply(id, {})
            keeper.changed()
        elif op == "signal":
            keeper.signal(launch.valid_signal(params.get("signal")))
            self.peer.reply(id, {})
        elif op == "resize":
            keeper.resize(int(params["rows"]), int(params["columns"]))
            self.peer.reply(id, {})
        elif op == "end":
            self.ends.append(id)
            keeper.end(bool(params.get("force")))
        else:
            self.peer.fail(id, "unknown-op", "this keeper does not know %r" % op)

    def push_unstored(self) -> None:
        """Output that the disk refused: only who listens now can have it, and only as fast as he takes it."""
        if not self.follows or self._pushing:
            return
        for offset, stream, data in list(self.keeper.spool.ring):
            for at in range(max(0, self._pushed - offset), len(data), frames.CHUNK):
                if self.peer.congested:
                    self._pushing = True
                    self.peer.when_clear(self._push_on)
                    return
                part = data[at : at + frames.CHUNK]
                self._pushed = offset + at + len(part)
                head = (offset + at).to_bytes(8, "big") + bytes((stream,))
                self.peer.control(frames.encode(frames.DATA, 0, head + part))

    def _push_on(self) -> None:
        self._pushing = False
        self.push_unstored()

    def close_inputs(self) -> None:
        for channel in self.table.channels.values():
            if isinstance(channel, InputChannel):
                channel.close_input()
