"""Everything around one debugged program: the clients, the sessions with its processes, and what is told of them."""

import json
import os
import socket
import threading
import time

from .adapter import LEAVE, Adapter
from .checks import Checks
from .children import PATIENCE, Children
from .wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SETTLE = 0.2  # seconds in which debugpy's adapter forgets a session: a connection before that can end its listening
_LOOKS = (5.0, 30.0)  # seconds after a client has attached: what has not been imported by then is told


class Hub:
    """`port` is the adapter's, `own_port` where clients are accepted. `status` is a file that says who is attached and
    what is stopped, as JSON. `alive()` is whether the program lives."""

    def __init__(
        self,
        port: int,
        own_port: int,
        status: str,
        started: float,
        want_children: bool = True,
        patience: float = PATIENCE,
        alive: "Callable[[], bool]" = bool,
    ) -> None:
        self.own_port = own_port
        self.alive = alive
        self._port = port
        self._status = status
        self._lock = threading.Lock()
        self._status_lock = threading.Lock()
        self._wires: "set[Wire]" = set()
        self._adapters: "set[Adapter]" = set()
        self._where: "dict[str, Any] | None" = None
        self._last_end = -_SETTLE
        self.held: "Adapter | None" = None  # the program's session, stopped, whose client has vanished
        self.asked: "dict[Any, int]" = {}  # `startDebugging` that is not answered yet: number to pid
        self.checks = Checks(started)
        self.children = Children(self._open, self.changed, want_children, patience)

    # connections

    def accept(self, sock: socket.socket) -> None:
        wire = Wire(self, sock)
        with self._lock:
            self._wires.add(wire)

    def connect(self, wire: Wire) -> Adapter:
        """A connection to the adapter for this client. Raises OSError."""
        with self._lock:
            leaving = [adapter for adapter in self._adapters if adapter.leaving]
        for adapter in leaving:
            adapter.over.wait(LEAVE)  # until then the program is "already being debugged"
        time.sleep(max(0.0, self._last_end + _SETTLE - time.monotonic()))
        return self._open(wire)

    def _open(self, wire: "Wire | None" = None) -> Adapter:
        adapter = Adapter(self._port, self._announced, self._adapter_gone, self.changed, wire)
        with self._lock:
            self._adapters.add(adapter)
        if adapter.closed:
            self._adapter_gone(adapter)
        return adapter

    @property
    def sessions(self) -> int:
        """Those that are open with any process of the program, with a client or without."""
        with self._lock:
            return len(self._adapters)

    @property
    def clients(self) -> int:
        with self._lock:
            return len(self._wires)

    # what happens

    def _announced(self, adapter: Adapter, configuration: "dict[str, Any]", seq: "Any") -> bool:
        pid = configuration.get("subProcessId")
        if seq is not None and isinstance(pid, int):
            self.asked[seq] = pid
        return self.children.announced(configuration, adapter.owner is not None)

    def attached(self, wire: Wire, adapter: Adapter) -> None:
        """A client's attach was answered."""
        if adapter.child is None:
            self.children.new_client()
        for delay in _LOOKS:
            timer = threading.Timer(delay, self.checks.look, (adapter,))
            timer.daemon = True
            timer.start()
        self.changed()

    def client_gone(self, wire: Wire, adapter: "Adapter | None", farewell: bool) -> None:
        """A client has hung up. Without a farewell, a program that is stopped stays so, for whoever comes next."""
        with self._lock:
            self._wires.discard(wire)
            if adapter is not None:
                adapter.owner = None
                hold = not farewell and adapter.attached and bool(adapter.stopped) and not adapter.closed
                if hold and adapter.child is None:
                    self.held = adapter
        if adapter is None or adapter.closed:
            pass
        elif hold:
            self._find_place(adapter)
        elif adapter.attached and not farewell:
            adapter.release()
        elif not farewell:
            adapter.release(_SETTLE + _SETTLE)  # half made: debugpy's adapter may still be at its own first words
        self.changed()

    def adopt(self, wire: Wire) -> "Adapter | None":
        """The session that was left stopped, for this client from now on."""
        with self._lock:
            held, self.held = self.held, None
            if held is None or held.closed:
                return None
            held.owner = wire
            self._where = None
        self.changed()
        return held

    def _adapter_gone(self, adapter: Adapter) -> None:
        with self._lock:
            self._adapters.discard(adapter)
            self._last_end = time.monotonic()
            if self.held is adapter:
                self.held = None
                self._where = None
        self.children.gone(adapter)
        self.changed()

    # what is told

    def _find_place(self, adapter: Adapter) -> None:
        thread = next(iter(adapter.stopped), None)

        def found(response: "dict[str, Any]") -> None:
            frames = (response.get("body") or {}).get("stackFrames") or []
            if frames:
                path = (frames[0].get("source") or {}).get("path")
                self._where = {"path": path, "line": frames[0].get("line"), "function": frames[0].get("name")}
                self.changed()

        adapter.request("stackTrace", {"threadId": thread, "levels": 1}, found)

    def changed(self) -> None:
        with self._lock:
            said = {
                "clients": sum(adapter.attached and adapter.owner is not None for adapter in self._adapters),
                "stopped": sum(len(adapter.stopped) for adapter in self._adapters if not adapter.silent),
                "held": self.held is not None,
                "at": self._where,
            }
        said["children"] = {str(pid): state for pid, state in self.children.states().items()}
        with self._status_lock:
            work = self._status + ".new"
            try:
                with open(work, "w", encoding="utf-8") as file:
                    json.dump(said, file)
                os.rename(work, self._status)
            except OSError:
                pass  # a full disk: the session goes on, its status is old
