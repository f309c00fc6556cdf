"""The debug runs of one environment, and which of them the door leads to.

Sessions are known from run records alone, so a new supervisor finds them again. The door leads to the newest run that
waits for its first debugger, else to the newest live one; a second run so takes the door, and a client that
disconnected comes back to the same program.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from devenv.api.views import DebugView, RunState
from devenv.debug.endpoints import await_endpoints, last_output, read_endpoints
from devenv.errors import DebugError

if TYPE_CHECKING:
    from devenv.link.port import Link


@dataclasses.dataclass(slots=True)
class Session:
    """One debug run. `port` is the adapter's, in the container, once it is known."""

    run: str
    name: str
    endpoints: str
    wait: bool
    started: float
    record: Mapping[str, Any]
    port: int | None = None
    joined: bool = False  # a debugger has come through the door at least once
    ended: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    @property
    def live(self) -> bool:
        return not self.ended.is_set()

    @property
    def waiting(self) -> bool:
        return self.live and self.wait and not self.joined


def how_it_ended(record: Mapping[str, Any]) -> str:
    """A run's end in words, for a sentence that begins with the run's name."""
    state = record.get("state")
    if state == RunState.EXITED:
        return f"ended with exit code {record.get('exit_code')}"
    if state == RunState.SIGNALED:
        return f"was ended by signal {record.get('signal')}"
    if state == RunState.OOM:
        return "was ended because the container ran out of memory"
    return f"did not run ({record.get('reason') or state})"


class DebugSessions:
    """Belongs to one environment; every method runs on the event loop's thread. The link may come and go."""

    def __init__(self) -> None:
        self._link: Link | None = None
        self._sessions: dict[str, Session] = {}

    def set_link(self, link: Link | None) -> None:
        self._link = link

    def update(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Takes in run records, from a list or one at a time from events; those of other kinds are passed over."""
        for record in records:
            debug = (record.get("meta") or {}).get("debug")
            if record.get("kind") != "debug" or not isinstance(debug, Mapping):
                continue
            run = str(record["id"])
            session = self._sessions.get(run)
            if session is None:
                session = Session(
                    run=run,
                    name=str(record.get("name", run)),
                    endpoints=str(debug.get("endpoints", "")),
                    wait=bool(debug.get("wait")),
                    started=float(record.get("started") or 0.0),
                    record=record,
                )
                self._sessions[run] = session
            session.record = record
            if record.get("state") not in (RunState.STARTING, RunState.RUNNING):
                session.ended.set()

    def forget(self, run: str) -> None:
        """The run's record was removed, or the run ended with its container."""
        session = self._sessions.pop(run, None)
        if session is not None:
            session.ended.set()

    def leading(self) -> Session | None:
        """The session that the door leads to, or None."""
        live = sorted((s for s in self._sessions.values() if s.live), key=lambda s: (s.waiting, s.started, s.run))
        return live[-1] if live else None

    async def ready(self, run: str) -> int:
        """Waits until a debugger may come to this run; its adapter's port in the container.

        Raises DebugError, with the exit code and the last output, when the program died before that.
        """
        session = self._sessions[run]
        if session.port is not None:
            return session.port
        link = self._require_link()
        port = await await_endpoints(link, session.endpoints, session.ended)
        if port is None:
            output = await last_output(link, run)
            raise DebugError(
                f"{session.name} {how_it_ended(session.record)} before a debugger could attach",
                f"its last output:\n{output}" if output else f"see: devenv logs {run}",
                details={"run": run, "exit_code": session.record.get("exit_code"), "output": output},
            )
        session.port = port
        return port

    async def target(self) -> int | None:
        """The door's question at each connection: the container port to lead it to, None when there is no session."""
        session = self.leading()
        if session is None or self._link is None:
            return None
        if session.port is None:
            session.port = await read_endpoints(self._link, session.endpoints)
        if session.port is not None:
            session.joined = True
        return session.port

    def view(self, host_port: int, *, host: str = "127.0.0.1", connections: int = 0, note: str = "") -> DebugView:
        """What a front end shows: the door, and the run behind it. `connections` are the door's open ones."""
        session = self.leading()
        return DebugView(
            host=host,
            port=host_port,
            run=session.run if session else None,
            waiting=session.waiting if session else False,
            attached=session is not None and connections > 0,
            note=note,
        )

    def _require_link(self) -> Link:
        if self._link is None:
            raise DebugError("the container does not answer, so the debugger cannot be reached", "devenv up")
        return self._link
