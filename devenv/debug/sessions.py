"""The debug sessions of one environment, and which of them the door leads to.

Sessions are known from run records alone, so a new supervisor finds them again. The door leads to the one
that was chosen, else to the newest that waits for its first debugger, else to the newest live one; a second run so
takes the door, and a client that disconnected comes back to the same program. Each has a port of its own besides.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from devenv.api.views import DebugView, RunState
from devenv.debug import pass_through
from devenv.debug.endpoints import await_endpoints, last_output, read_endpoints, read_file
from devenv.debug.entry import members
from devenv.errors import DebugError, DevenvError, NotFound
from devenv.forward.table import Destination

if TYPE_CHECKING:
    from devenv.debug.attach.book import Entry
    from devenv.debug.entry.members import Member
    from devenv.link.port import Link

_STARTS = 20.0  # seconds in which a debugger is there that has been announced, on a busy machine


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What a client need not know: `door` is the host port of the chosen session, `local` and `remote` are the
    project's folder, `defaults` arguments of `attach`."""

    door: int
    local: str
    remote: str
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)


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
    host_port: int | None = None  # its own, beside the door
    process: int = 0  # of one that is not its run's own process; 0 for a program that was started under the debugger
    rank: int = 0  # the door leads to the lowest of a run's first
    member: bool = False  # one of several processes of its run, or none until an exception: `devenv.debug.entry`
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
        self._entered: dict[str, Mapping[str, Any]] = {}  # live runs whose sessions are found out as they go
        self._members: dict[str, tuple[int, list[Member]]] = {}  # of each of these: the file's size, and what it says
        self._chosen = ""
        self.place: Place | None = None

    def set_link(self, link: Link | None) -> None:
        self._link = link

    def update(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Takes in run records, from a list or one at a time from events; those of other kinds are passed over."""
        for record in records:
            debug = (record.get("meta") or {}).get("debug")
            run = str(record["id"])
            if isinstance(debug, Mapping) and "entry" in debug:
                self._update_entered(run, record)
                continue
            session = self._sessions.get(run)
            if session is None:
                if record.get("kind") != "debug" or not isinstance(debug, Mapping):
                    continue
                session = Session(
                    run=run,
                    name=self._free_name(str(record.get("name", run)), record),
                    endpoints=str(debug.get("endpoints", "")),
                    wait=bool(debug.get("wait")),
                    started=float(record.get("started") or 0.0),
                    record=record,
                )
                self._sessions[run] = session
            session.record = record
            if record.get("state") not in (RunState.STARTING, RunState.RUNNING):
                session.ended.set()

    def _update_entered(self, run: str, record: Mapping[str, Any]) -> None:
        if record.get("state") in (RunState.STARTING, RunState.RUNNING):
            self._entered[run] = record
            return
        self._entered.pop(run, None)
        self._members.pop(run, None)
        for session in self._sessions.values():
            if session.member and session.record.get("id") == run:
                session.record = record
                session.ended.set()

    def entered(self) -> list[str]:
        """Live runs whose processes are looked for, each by `find_members`."""
        return list(self._entered)

    async def find_members(self, run: str) -> list[Member]:
        """Those processes of the run that have a debugger, or wait for one, become sessions. Raises LinkError."""
        record = self._entered.get(run)
        if record is None:
            return []
        debug = record["meta"]["debug"]
        base = str(debug["endpoints"])
        found = await self._read_members(run, members.file_of(base))
        for member in found:
            key = f"{run}/{member.title or 'main'}"
            known = self._sessions.get(key)
            if not member.debugged or (known is not None and known.process == member.pid) or run not in self._entered:
                continue
            if known is not None:
                known.ended.set()
            self._sessions[key] = Session(
                run=key,
                name=self._free_name(f"{record.get('name', run)} {member.title}".strip(), record),
                endpoints=member.endpoints(base),
                wait=bool(debug.get("wait")),
                started=float(record.get("started") or 0.0),
                record=record,
                process=member.pid,
                rank=member.rank or 0,
                member=True,
            )
        for session in self._sessions.values():
            if session.member and session.live and session.record.get("id") == run:
                await self._still_there(session)
        return found

    async def _read_members(self, run: str, path: str) -> list[Member]:
        """It is looked at every second, and read when it has grown."""
        link = self._require_link()
        size = ((await link.request("stat", paths=[path])).get(path) or {}).get("size", 0)
        known = self._members.get(run, (0, []))
        if size != known[0]:
            known = (size, members.parse(await read_file(link, path, members.MOST_BYTES) or b""))
            self._members[run] = known
        return known[1]

    def of_run(self, run: str) -> list[Session]:
        """Its live sessions, in the order of the ranks."""
        found = [s for s in self._sessions.values() if s.live and s.record.get("id") == run]
        return sorted(found, key=lambda session: session.rank)

    def adopt(self, entry: Entry, record: Mapping[str, Any] | None) -> None:
        """A program that was attached to; `record` is its run's, None for a process outside of runs."""
        self._sessions[entry.key] = Session(
            run=entry.key,
            name=self._free_name(entry.name),
            endpoints=entry.endpoints,
            wait=False,
            started=entry.at,
            record=record or {},
            process=entry.pid,
        )

    def _free_name(self, name: str, record: Mapping[str, Any] | None = None) -> str:
        """Two that live at once have two names, and so two ports: "train", "train 2"."""
        if record is not None and record.get("state") not in (RunState.STARTING, RunState.RUNNING):
            return name
        taken = {session.name for session in self._sessions.values() if session.live}
        number = 1
        while (found := name if number == 1 else f"{name} {number}") in taken:
            number += 1
        return found

    def knows(self, run: str) -> bool:
        return run in self._sessions

    def live(self) -> list[Session]:
        """Oldest first, a run's ranks in their order."""
        return sorted((s for s in self._sessions.values() if s.live), key=lambda s: (s.started, s.rank, s.run))

    async def look(self) -> None:
        """Those whose process has ended unseen are no sessions any more. Raises LinkError."""
        for session in self.live():
            await self._still_there(session)

    def choose(self, which: str) -> Session:
        """The door leads to this one, named by its name or its run, until it ends. Raises NotFound."""
        live = self.live()
        found = next((s for s in reversed(live) if which in (s.run, s.name)), None)
        if found is None:
            known = ", ".join(s.name for s in live)
            raise NotFound(
                f"no debug session is called {which}",
                f"there is {known}" if known else "none is live: devenv debug SCRIPT starts one",
            )
        self._chosen = found.run
        return found

    async def _still_there(self, session: Session) -> bool:
        """Nobody tells of the end of a process that is not a run's own, nor of an adapter that was killed."""
        if not session.process or self._link is None:
            return True
        needed = [f"/proc/{session.process}"]
        if not session.member:
            needed += [session.endpoints, session.endpoints.removesuffix(".front")]
        found = await self._link.request("stat", paths=needed)
        if all(found.get(path) for path in needed):
            return True
        session.ended.set()
        return False

    def forget(self, run: str) -> None:
        """The run's record was removed, or the run ended with its container."""
        self._entered.pop(run, None)
        self._members.pop(run, None)
        for key in [key for key, session in self._sessions.items() if run in (key, session.record.get("id"))]:
            self._sessions.pop(key).ended.set()

    def leading(self) -> Session | None:
        """The session that the door leads to, or None."""
        chosen = self._sessions.get(self._chosen)
        if chosen is not None and chosen.live:
            return chosen
        live = sorted(
            (s for s in self._sessions.values() if s.live), key=lambda s: (s.waiting, s.started, -s.rank, s.run)
        )
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

    async def target(self) -> Destination | None:
        """The door's question at each connection: where in the container it leads, None when there is no session."""
        session = self.leading()
        if session is None or self._link is None:
            return None
        if not await self._still_there(session):
            return await self.target()
        return await self._destination(session)

    async def target_of(self, run: str) -> Destination | None:
        """The same for a session's own port."""
        session = self._sessions.get(run)
        if session is None or not session.live or self._link is None or not await self._still_there(session):
            return None
        return await self._destination(session)

    async def _destination(self, session: Session) -> Destination | None:
        if self._link is None:
            return None
        if session.member:
            session.port = await self._starting(session)
        elif session.port is None:
            session.port = await read_endpoints(self._link, session.endpoints)
        if session.port is None:
            return None
        session.joined = True
        place = self.place
        if place is None:
            return Destination(session.port)
        debug = (session.record.get("meta") or {}).get("debug") or {}
        said = debug.get("just_my_code")
        defaults = place.defaults if said is None else {**place.defaults, "justMyCode": said}
        own = session.host_port or place.door
        greeting = pass_through.greeting(
            port=own, door=place.door, local=place.local, remote=place.remote, defaults=defaults
        )
        return Destination(session.port, greeting)

    async def _starting(self, session: Session) -> int | None:
        """A member is known a moment before its debugger is there."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STARTS):
                return await await_endpoints(self._require_link(), session.endpoints, session.ended)
        return None

    async def all_ready(self, run: str) -> None:
        """Waits, within reason, until a debugger may come to each member of a run. Raises LinkError."""
        for session in self.of_run(run):
            session.port = await self._starting(session)

    async def status(self, session: Session) -> Mapping[str, Any]:
        """What its pass-through says of it: see `devenv.debug.proxy.hub`; {} when nothing is known."""
        if self._link is None:
            return {}
        try:
            said = json.loads(await read_file(self._link, pass_through.status_file(session.endpoints)) or b"{}")
        except (ValueError, DevenvError):
            return {}
        return said if isinstance(said, dict) else {}

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
