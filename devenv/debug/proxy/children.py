"""Child processes of the program: each waits, under debugpy, until somebody attaches to it. Many clients never do.

A child that is announced and that no client claims in time gets a silent session: attached, no breakpoint set, let go
on at once. When a client does come for it later, the silent session makes room.
"""

import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .adapter import Adapter

PATIENCE = 2.0  # seconds in which a client is expected to come for a child
PATIENCE_LEARNT = 0.2  # once it has left one alone
_HAND_OVER = 3.0  # seconds in which a silent session ends
_SETTLE = 0.5  # and those in which debugpy's adapter takes note of that, behind its answer


class Child:
    def __init__(self, configuration: "dict[str, Any]") -> None:
        self.configuration = configuration
        self.state = "announced"  # then "claimed" or "silent"
        self.timer: "threading.Timer | None" = None
        self.silent: "Adapter | None" = None
        self.over = threading.Event()


class Children:
    """`connect()` opens a connection to the adapter. `wanted` is False when no child is to be debugged at all."""

    def __init__(
        self, connect: "Callable[[], Adapter]", changed: "Callable[[], None]", wanted: bool, patience: float = PATIENCE
    ) -> None:
        self._connect = connect
        self._changed = changed
        self._wanted = wanted
        self._patience = patience
        self._lock = threading.Lock()
        self._known: "dict[int, Child]" = {}
        self._ignoring = False  # the client in front has left a child alone

    def new_client(self) -> None:
        """What the one before it did says nothing of this one."""
        self._ignoring = False

    def announced(self, configuration: "dict[str, Any]", somebody: bool) -> bool:
        """Whether the client is to be told."""
        pid = configuration.get("subProcessId")
        if not isinstance(pid, int):
            return True
        child = Child(configuration)
        with self._lock:
            self._known[pid] = child
        if not self._wanted or not somebody:
            self._leave_alone(pid, child)
            return False
        patience = min(self._patience, PATIENCE_LEARNT) if self._ignoring else self._patience
        child.timer = threading.Timer(patience, self._waited, (pid, child))
        child.timer.daemon = True
        child.timer.start()
        self._changed()
        return True

    def refused(self, pid: int) -> None:
        """The client said that it will not come."""
        with self._lock:
            child = self._known.get(pid)
        if child is not None and child.state == "announced":
            self._waited(pid, child)

    def claimed(self, pid: int) -> None:
        """A client comes for it. Returns when there is room."""
        with self._lock:
            child = self._known.setdefault(pid, Child({}))
            silent, child.state = child.silent, "claimed"
            if child.timer is not None:
                child.timer.cancel()
        if silent is not None and not silent.closed:
            silent.begun.wait(_HAND_OVER)  # debugpy loses its way when a session is given up half made
            silent.release()
            child.over.wait(_HAND_OVER)
            time.sleep(_SETTLE)
        self._changed()

    def gone(self, adapter: "Adapter") -> None:
        """A connection has ended."""
        with self._lock:
            pid = adapter.child
            child = self._known.get(pid) if pid is not None else None
            if child is None or pid is None:
                return
            if child.silent is adapter:
                child.over.set()
                if child.state == "silent":
                    del self._known[pid]
            elif child.state == "claimed" and child.silent is None:
                del self._known[pid]
        self._changed()

    def states(self) -> "dict[int, str]":
        with self._lock:
            return {pid: child.state for pid, child in self._known.items()}

    def _waited(self, pid: int, child: Child) -> None:
        self._ignoring = True
        self._leave_alone(pid, child)

    def _leave_alone(self, pid: int, child: Child) -> None:
        with self._lock:
            if child.state != "announced" or self._known.get(pid) is not child:
                return
            child.state = "silent"
        try:
            adapter = self._connect()
        except OSError:
            return  # the adapter is gone, and the child with it
        adapter.silent = True
        adapter.child = pid
        with self._lock:
            child.silent = adapter
        arguments = {
            name: value
            for name, value in child.configuration.items()
            if name not in ("name", "type", "request", "preLaunchTask", "postDebugTask")
        }
        arguments["subProcessId"] = pid
        adapter.on_initialized = lambda: adapter.request("configurationDone", {}, lambda response: adapter.begun.set())
        adapter.request(
            "initialize",
            {"clientID": "devenv", "adapterID": "debugpy", "pathFormat": "path", "supportsStartDebuggingRequest": True},
            lambda response: adapter.request("attach", arguments),
        )
        self._changed()
