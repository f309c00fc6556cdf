"""The agent: what the host asks for, done. One object for one conversation with the host.

Modules that not every conversation needs are imported where they are used: the source is compiled at each start.
"""

import os
import signal

from . import frames, launch, runs
from .channels import Channel, Table
from .peer import Peer
from .processes import ProcessChannel

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any, Callable

    from .listening import Listening
    from .loop import Loop, Timer
    from .reverse import Reverse

    Handler = Callable[[Any, dict[str, Any]], None]

_FASTEST_WATCH = 0.05  # seconds


class Agent:
    def __init__(
        self, loop: "Loop", read_fd: int, write_fd: int, sock: "socket.socket | None", state_path: str
    ) -> None:
        self.loop = loop
        self.table = Table()
        self.processes: "list[ProcessChannel]" = []
        self.reason = ""
        self._direct = sock is not None
        self._listening: "Listening | None" = None
        self._reverse: "Reverse | None" = None
        self._watch_timer: "Timer | None" = None
        self._watch_seen: "Any" = None
        self.peer = Peer(loop, read_fd, write_fd, sock, self._frame, self.end)
        self.runs = runs.Runs(loop, self.peer, os.path.join(state_path, "runs") if state_path else "")
        self._handlers: "dict[str, Handler]" = {
            "spawn": self._spawn,
            "signal": self._signal,
            "resize": self._resize,
            "connect": self._connect,
            "reverse.listen": self._reverse_listen,
            "reverse.stop": self._reverse_stop,
            "reverse.take": self._reverse_take,
            "ports.list": lambda id, params: self.peer.reply(
                id, {"listeners": self._look(), "ephemeral": self._ephemeral()}
            ),
            "ports.watch": self._ports_watch,
            "stats": self._stats,
            "processes": self._proclist,
            "unpack": self._unpack,
            "which": self._which,
            "stat": self._stat,
            "runs.start": self._run_start,
            "runs.list": lambda id, params: self.peer.reply(id, self.runs.list()),
            "runs.get": lambda id, params: self.peer.reply(id, self.runs.get(params)),
            "runs.remove": lambda id, params: self.peer.reply(id, self.runs.remove(params)),
            "runs.read": lambda id, params: self.peer.reply(id, self.runs.read(params)),
            "runs.attach": self._run_attach,
            "runs.signal": lambda id, params: self.peer.reply(id, self.runs.signal(params)),
            "runs.resize": lambda id, params: self.peer.reply(id, self.runs.resize(params)),
            "runs.end": lambda id, params: self.runs.end(params, lambda record: self.peer.reply(id, record)),
            "bye": self._bye,
        }

    # frames

    def _frame(self, kind: int, channel: int, payload: bytes) -> None:
        if channel != 0:
            self.table.frame(kind, channel, payload)
            return
        if kind != frames.REQUEST:
            raise frames.ProtocolError("kind %d on channel 0" % kind)
        params = frames.decode_json(payload)
        id = params.get("id")
        handler = self._handlers.get(str(params.get("op")))
        if handler is None:
            self.peer.fail(id, "unknown-op", "this agent does not know %r" % params.get("op"))
            return
        try:
            handler(id, params)
        except (runs.RunError, launch.LaunchError) as error:
            self.peer.fail(id, error.code, str(error), getattr(error, "number", None))
        except OSError as error:
            self.peer.fail(id, "os-error", str(error), error.errno)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            self.peer.fail(id, "bad-request", "%s: %s" % (type(error).__name__, error))

    def _new_id(self, params: "dict[str, Any]") -> int:
        id = params.get("channel")
        if not isinstance(id, int) or not 0 < id < 1 << 32 or not id & 1 or id in self.table.channels:
            raise ValueError("bad channel id: %r" % (id,))
        return id

    def _channel(self, params: "dict[str, Any]") -> Channel:
        channel = self.table.channels.get(params.get("channel"))  # type: ignore[arg-type]
        if channel is None:
            raise runs.RunError("no-channel", "no such channel: %r" % params.get("channel"))
        return channel

    # processes

    def _spawn(self, id: "Any", params: "dict[str, Any]") -> None:
        if params.get("expect"):
            from . import lookups

            lookups.expect(params["expect"])
        door = ""
        if params.get("door"):
            from .door import valid

            door = valid(params["door"])
        number = self._new_id(params)
        order = launch.Order(params)
        launched = launch.launch(order)
        channel = ProcessChannel(self.loop, self.peer, number, launched, self.processes.remove, door)
        self.processes.append(channel)
        self.table.open(channel)

        def known(error: "launch.LaunchError | None") -> None:
            if error is None:
                self.peer.reply(id, {"pid": launched.pid})
                if channel.alive:
                    channel.resume()
            else:
                self.table.remove(number)
                if channel.alive:
                    channel.closed()
                self.peer.fail(id, error.code, str(error), error.number)

        launch.watch_outcome(self.loop, order, launched, known)

    def _signal(self, id: "Any", params: "dict[str, Any]") -> None:
        self._channel(params).signal(launch.valid_signal(params.get("signal")))
        self.peer.reply(id, {})

    def _resize(self, id: "Any", params: "dict[str, Any]") -> None:
        self._channel(params).resize(int(params["rows"]), int(params["columns"]))
        self.peer.reply(id, {})

    # connections

    def _connect(self, id: "Any", params: "dict[str, Any]") -> None:
        from . import sockets

        host, port = sockets.check_target(params)
        pass_fd = bool(params.get("pass_fd"))
        if pass_fd and not self._direct:
            raise ValueError("descriptors pass in the direct tier only")
        number = 0 if pass_fd else self._new_id(params)

        def done(sock: "socket.socket") -> None:
            if pass_fd:
                self.peer.reply(id, {"fd": True}, sock.detach())
            elif number in self.table.channels:
                sock.close()
                self.peer.fail(id, "bad-request", "channel %d is in use" % number)
            else:
                channel = sockets.SocketChannel(self.loop, self.peer, number, sock)
                self.table.open(channel)
                self.peer.reply(id, {})
                channel.resume()

        def failed(error: "sockets.ConnectError") -> None:
            self.peer.fail(id, error.code, str(error), error.number)

        sockets.Dialer(self.loop, host, port, done, failed, float(params.get("timeout") or sockets.TIMEOUT))

    # connections from the container to the host

    def _reversing(self) -> "Reverse":
        if self._reverse is None:
            from .reverse import Reverse

            self._reverse = Reverse(self.loop, self.peer)
        return self._reverse

    def _reverse_listen(self, id: "Any", params: "dict[str, Any]") -> None:
        self._reversing().listen(int(params["port"]))
        self.peer.reply(id, {})

    def _reverse_stop(self, id: "Any", params: "dict[str, Any]") -> None:
        self._reversing().stop(int(params["port"]))
        self.peer.reply(id, {})

    def _reverse_take(self, id: "Any", params: "dict[str, Any]") -> None:
        """As `connect`: the descriptor itself, or a channel."""
        from . import sockets

        pass_fd = bool(params.get("pass_fd"))
        if pass_fd and not self._direct:
            raise ValueError("descriptors pass in the direct tier only")
        number = 0 if pass_fd else self._new_id(params)
        sock = self._reversing().take(int(params["connection"]))
        if pass_fd:
            self.peer.reply(id, {"fd": True}, sock.detach())
            return
        channel = sockets.SocketChannel(self.loop, self.peer, number, sock)
        self.table.open(channel)
        self.peer.reply(id, {})
        channel.resume()

    # ports

    def _ephemeral(self) -> "list[int]":
        from . import listening

        return listening.ephemeral_ports()

    def _look(self) -> "list[dict[str, Any]]":
        if self._listening is None:
            from .listening import Listening

            self._listening = Listening()
        found = self._listening.look()
        own = self._reverse.inodes if self._reverse is not None else ()
        return [entry for entry in found if entry["inode"] not in own] if own else found

    def _ports_watch(self, id: "Any", params: "dict[str, Any]") -> None:
        """An event at once, then at each change; interval 0 ends it."""
        interval = float(params.get("interval", 0.25))
        if self._watch_timer is not None:
            self._watch_timer.cancel()
            self._watch_timer = None
        self._watch_seen = None
        self.peer.reply(id, {})
        if interval > 0:
            self._ports_poll(max(interval, _FASTEST_WATCH))

    def _ports_poll(self, interval: float) -> None:
        found = self._look()
        if found != self._watch_seen:
            self._watch_seen = found
            self.peer.event({"event": "ports", "listeners": found})
        self._watch_timer = self.loop.call_later(interval, lambda: self._ports_poll(interval))

    # files and figures

    def _stats(self, id: "Any", params: "dict[str, Any]") -> None:
        from . import cgroup, stats

        self.peer.reply(id, stats.read(cgroup.Group()))

    def _proclist(self, id: "Any", params: "dict[str, Any]") -> None:
        from . import proclist

        record = self.runs.get(params) if params.get("run") else None
        self.peer.reply(id, proclist.listed(params, record))

    def _which(self, id: "Any", params: "dict[str, Any]") -> None:
        from . import lookups

        self.peer.reply(id, lookups.which(params))

    def _stat(self, id: "Any", params: "dict[str, Any]") -> None:
        from . import lookups

        self.peer.reply(id, lookups.stat_paths(params))

    def _unpack(self, id: "Any", params: "dict[str, Any]") -> None:
        from .unpack import UnpackChannel

        channel = UnpackChannel(self.peer, self._new_id(params), launch.to_bytes(str(params.get("dest"))))
        self.table.open(channel)
        self.peer.reply(id, {})

    # runs

    def _run_start(self, id: "Any", params: "dict[str, Any]") -> None:
        self.runs.start(
            params,
            lambda record: self.peer.reply(id, record),
            lambda code, message, number: self.peer.fail(id, code, message, number),
        )

    def _run_attach(self, id: "Any", params: "dict[str, Any]") -> None:
        self._new_id(params)
        channel, result, begin = self.runs.attach(params, self.peer)
        self.table.open(channel)
        self.peer.reply(id, result)
        begin()

    # the end

    def _bye(self, id: "Any", params: "dict[str, Any]") -> None:
        self.peer.reply(id, {})
        self.peer.flush(1.0)
        self.end("bye")

    def end(self, reason: str) -> None:
        """Hangs up on every spawned program and leaves. Runs go on."""
        self.reason = reason
        for process in list(self.processes):
            if process.running:
                launch.signal_group(process.pid, signal.SIGHUP)
                launch.signal_group(process.pid, signal.SIGCONT)
        self.loop.stop()
