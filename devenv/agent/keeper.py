"""The keeper: one detached process for each run. It owns the program's terminal or pipes, writes the spool, tells those
who watch, passes input on, and records the end. It outlives every agent.

It never waits for a client: output goes to the spool, clients read that, and a client that does not read is only told
less often. It ends when the program and everything it started have ended.
"""

import os
import signal
import socket
import time

from . import adoption, cgroup, descendants, frames, jsontext, launch, records, spool, terminal
from .clients import Client
from .loop import Loop
from .order import Order
from .output import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .loop import Timer


_TELL = 0.01  # seconds between two words about the size to the same client
_LEFTOVER_GRACE = 1.0  # seconds between TERM and KILL for what the program left behind
_SILENCE = 0.2
_PATIENCE = 2.0
_SETTLE = 5.0  # seconds after KILL before a process that does not die is given up


def tell_starter(report: int, value: "dict[str, Any]") -> None:
    try:
        os.write(report, jsontext.dumps(value).encode("utf-8", "surrogateescape"))
        os.close(report)
    except OSError:
        pass  # the agent is gone: the run goes on


class Keeper:
    def __init__(self, folder: records.Folder, order: Order, report: int, now: float) -> None:
        self.loop = Loop()
        self.folder = folder
        self.order = order
        self._report = report
        self.group = cgroup.Group()
        self._oom_before = self.group.oom_kills()
        self.spool = spool.SpoolWriter(folder.path, order.cap)
        self.clients: "list[Client]" = []
        self._status: "int | None" = None
        self._ending = ""  # why we end it, when we were asked to
        self._leftovers = 0
        self._kill_at = -1.0
        self._quiet_since = 0.0
        self._tell_timer: "Timer | None" = None
        self._record_stale = False
        self._end_step = 0
        self._end_timer: "Timer | None" = None
        size = order.launch.size
        self.record: "dict[str, Any]" = {
            "v": records.VERSION,
            "id": folder.id,
            "name": order.name,
            "kind": order.kind,
            "argv": order.argv,
            "cwd": order.cwd,
            "tty": size is not None,
            "rows": size[0] if size else None,
            "columns": size[1] if size else None,
            "started": now,
            "ended": None,
            "state": "starting",
            "exit_code": None,
            "signal": None,
            "pid": 0,
            "keeper_pid": os.getpid(),
            "size": 0,
            "dropped": 0,
            "gap": None,
            "gaps": [],
            "attached": 0,
            "meta": order.meta,
            "reason": "",
            "subreaper": adoption.adopt_orphans(),
            "boot": records.boot(),
        }
        folder.reserve()
        folder.write(self.record)
        self._listener = self._listen()
        self._launch()
        signal.signal(signal.SIGTERM, lambda number, frame: self.loop.call_later(0, lambda: self.end(False)))

    def _listen(self) -> socket.socket:
        # Bound by a relative name: a socket's whole path may have 107 bytes only.
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        os.chdir(self.folder.path)
        sock.bind("ctl.sock")
        os.chmod("ctl.sock", 0o600)
        os.chdir("/")
        sock.listen(64)
        sock.setblocking(False)
        self.loop.add_reader(sock.fileno(), self._accept)
        return sock

    def _launch(self) -> None:
        order = self.order.launch
        order.env[descendants.VARIABLE.encode("ascii")] = self.folder.id.encode("ascii")
        inherited = {}
        events = -1
        if self.order.events:
            events, child_end = os.pipe()
            # A number that cannot collide with the stdio that the child gets first.
            inherited[child_end] = child_end
            order.env[b"DEVENV_EVENTS_FD"] = str(child_end).encode("ascii")
        prepare = _no_input if self.order.no_input else None
        launched = launch.launch(order, inherited, prepare)
        for fd in inherited:
            os.close(fd)
        self.pid = launched.pid
        self.loop.on_exit(launched.pid, self._exited)
        self.sources: "list[Output]" = []
        if launched.master >= 0:
            self.master = launched.master
            self.stdin = os.dup(launched.master)
            self.sources.append(Output(self, launched.master, frames.OUT))
        else:
            self.master = -1
            self.stdin = launched.stdin
            self.sources.append(Output(self, launched.stdout, frames.OUT))
            self.sources.append(Output(self, launched.stderr, frames.ERR))
        if events >= 0:
            self.sources.append(Output(self, events, frames.EVENTS))
        if self.order.no_input and self.master < 0:
            self.close_stdin()
        launch.watch_outcome(self.loop, order, launched, self._launched)

    def _launched(self, error: "launch.LaunchError | None") -> None:
        if error is not None:
            self.folder.remove()
            tell_starter(self._report, {"error": {"code": error.code, "message": str(error), "errno": error.number}})
            os._exit(1)
        self.record["state"] = "running"
        self.record["pid"] = self.pid
        self._write_record()
        tell_starter(self._report, {"record": self.record})
        if self._status is not None:
            self._exited(self._status)

    # records and clients

    def _write_record(self, sync: bool = False) -> None:
        self.record["size"] = self.spool.end
        self.record["dropped"] = self.spool.dropped
        holes = self.spool.holes()
        self.record["gap"], self.record["gaps"] = spool.largest(holes), holes[-64:]
        self.record["attached"] = sum(len(client.table.channels) for client in self.clients)
        if self.spool.trouble and self.record["state"] in records.LIVE:
            self.record["reason"] = "output was dropped: %s" % self.spool.trouble
        try:
            self.folder.write(self.record, sync)
            self._record_stale = False
        except OSError:
            self._record_stale = True

    def changed(self) -> None:
        """The record has changed: on disk and to everyone who watches."""
        self._write_record()
        for client in list(self.clients):
            client.peer.event({"event": "record", "record": self.record})

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        self.clients.append(Client(self, sock))

    def left(self, client: "Client") -> None:
        if client in self.clients:
            self.clients.remove(client)
            if client.table.channels:
                client.table.end()
                self.changed()

    # output

    def wrote(self, stream: int, data: bytes) -> None:
        start = self.spool.end
        dropped = self.spool.dropped
        if not self.spool.write(stream, data, time.time()):
            for client in self.clients:
                client.push_unstored()
        if self.spool.dropped > dropped and not self._record_stale:
            # Said at once when it begins, then with the size at most once a second.
            self._record_stale = True
            self.loop.call_later(0.0 if start == 0 or not dropped else 1.0, self._drop_told)
        if self._tell_timer is None:
            self.tell_sizes()

    def _drop_told(self) -> None:
        if self._status is None:
            self._record_stale = False
            self.changed()

    def tell_sizes(self) -> None:
        self._tell_timer = None
        again = False
        for client in self.clients:
            if client.follows and client.told < self.spool.end:
                if client.peer.idle:
                    client.told = self.spool.end
                    client.peer.event({"event": "size", "size": self.spool.end})
                else:
                    again = True
        if again:
            self._tell_timer = self.loop.call_later(_TELL, self.tell_sizes)

    # control

    def signal(self, number: int) -> None:
        group = terminal.foreground_group(self.master) if self.master >= 0 else 0
        launch.signal_group(group or self.pid, number)

    def resize(self, rows: int, columns: int) -> None:
        if self.master < 0:
            raise ValueError("this run has no terminal")
        terminal.set_size(self.master, rows, columns)
        self.record["rows"], self.record["columns"] = rows, columns

    def close_stdin(self) -> None:
        """The program's input ends, for all clients."""
        if self.master >= 0:
            try:
                os.write(self.stdin, terminal.END_OF_FILE)
            except OSError:
                pass
            return
        for client in self.clients:
            client.close_inputs()
        if self.stdin >= 0:
            os.close(self.stdin)
            self.stdin = -1

    def end(self, force: bool) -> None:
        """INT, then TERM, then KILL to all; at once KILL when forced. May be asked again to go faster."""
        if self._status is not None and not force:
            return
        if force:
            self._end_step = 2
        elif self._end_timer is not None:
            return
        self._next_end_step()

    def _next_end_step(self) -> None:
        if self._end_timer is not None:
            self._end_timer.cancel()
            self._end_timer = None
        step, self._end_step = self._end_step, self._end_step + 1
        if step >= 2:
            self._ending = "killed on request"
            descendants.kill(self._all(), signal.SIGKILL)
            delay = 0.5  # again, for what was forked in between
        elif step == 0:
            self._ending = "interrupted on request"
            self.signal(signal.SIGINT)
            delay = self.order.grace[0]
        else:
            self._ending = "terminated on request"
            launch.signal_group(self.pid, signal.SIGTERM)
            self.signal(signal.SIGTERM)
            launch.signal_group(self.pid, signal.SIGCONT)
            delay = self.order.grace[1]
        if self._status is None:
            self._end_timer = self.loop.call_later(delay, self._next_end_step)

    def _all(self) -> "list[int]":
        found = descendants.below(os.getpid())
        if not self.record["subreaper"]:
            found += descendants.of_run(self.folder.id)
        return found

    # the end

    def _exited(self, status: int) -> None:
        self._status = status
        if self.record["state"] == "starting":
            return  # the word about exec comes first
        if self._end_timer is not None:
            self._end_timer.cancel()
            self._end_timer = None
        self._quiet_since = self.loop.now()
        self._sweep()

    def _sweep(self) -> None:
        """Until nothing of the run is left: TERM once, KILL after the grace; then the last of the output."""
        self.loop.reap()
        now = self.loop.now()
        left = self._all()
        if left:
            if self._kill_at < 0:
                self._leftovers = len(left)
                self._kill_at = now + _LEFTOVER_GRACE
                descendants.kill(left, signal.SIGTERM)
                descendants.kill(left, signal.SIGCONT)
            elif now >= self._kill_at + _SETTLE:
                left = []
            elif now >= self._kill_at:
                descendants.kill(left, signal.SIGKILL)
            self._quiet_since = now
        if not left:
            open_sources = [source for source in self.sources if source.fd >= 0]
            quiet = all(now - source.last >= _SILENCE and not source.pending() for source in open_sources)
            if not open_sources or quiet or now - self._quiet_since >= _PATIENCE:
                self._finish()
                return
        self.loop.call_later(0.02, self._sweep)

    def _finish(self) -> None:
        status = self._status or 0
        record = self.record
        result = launch.as_result(status)
        number = result.get("signal")
        record["exit_code"] = result.get("exit")
        record["signal"] = number
        record["ended"] = time.time()
        record["state"] = "exited" if number is None else "signaled"
        if number is None:
            reason = "finished" if result["exit"] == 0 else "exited with code %d" % result["exit"]
        else:
            reason = "ended by signal %s" % signal_name(number)
        if self.group.oom_kills() > self._oom_before:
            if number == signal.SIGKILL and not self._ending:
                record["state"] = "oom"
                limit = self.group.memory_limit()
                reason = "out of memory: the kernel killed it"
                reason += " (limit of the container: %d MiB)" % (limit >> 20) if limit else ""
            else:
                reason += "; the kernel killed a process of this container for lack of memory"
        if self._ending:
            reason += ", " + self._ending
        if self._leftovers:
            reason += "; %d left-over process%s ended" % (self._leftovers, "" if self._leftovers == 1 else "es")
        if self.spool.trouble:
            reason += "; output was dropped: %s" % self.spool.trouble
        if not record["subreaper"]:
            reason += "; orphans could not be adopted (no ctypes in this Python)"
        record["reason"] = reason
        self.spool.close()
        self.close_channels()
        for _ in range(20):
            self._write_record(True)
            if not self._record_stale:
                break
            time.sleep(0.1)  # a full disk: the last chance to say how it ended
        self.folder.release()
        try:
            os.unlink(os.path.join(self.folder.path, "ctl.sock"))
        except OSError:
            pass
        for client in list(self.clients):
            for id in client.ends:
                client.peer.reply(id, record)
            client.peer.event({"event": "record", "record": record})
            client.peer.flush(0.2)
        self.loop.stop()

    def close_channels(self) -> None:
        for client in self.clients:
            client.table.channels.clear()

    def fail(self, error: BaseException) -> None:
        descendants.kill(self._all(), signal.SIGKILL)
        self.record["state"] = "failed"
        self.record["ended"] = time.time()
        self.record["reason"] = "a defect of the keeper: %s: %s" % (type(error).__name__, error)
        self.close_channels()
        self._write_record()


def signal_name(number: int) -> str:
    try:
        return "%d (%s)" % (number, signal.Signals(number).name)
    except ValueError:
        return str(number)


def _no_input() -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
