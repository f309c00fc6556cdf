"""debug --attach: the debugger comes into a program that was started without it."""

from __future__ import annotations

import time
from typing import Any

from devenv.api.context import ClientContext
from devenv.api.messages import DebugAttachArgs
from devenv.debug.attach.attaching import Attached, Attacher, Order, privileged
from devenv.debug.attach.book import Entry
from devenv.debug.door import check_network
from devenv.errors import DebugError, NotFound, Refused
from devenv.profile.reach import Process
from devenv.supervisor.connection import Connection
from devenv.supervisor.door import Door
from devenv.supervisor.editor_files import EditorFiles
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.observing import Observer, Subject
from devenv.supervisor.registry import Registry
from devenv.supervisor.workbench import Workbench

_KERNEL = "where JupyterLab's debugger has been on in this kernel: turn it off and restart the kernel"
_OWN = ("-I", "-S", "-u", "-c")  # how agents and keepers are started


class AttachDebugVerbs:
    def __init__(
        self, registry: Registry, launcher: Launcher, observer: Observer, door: Door, files: EditorFiles
    ) -> None:
        self._registry = registry
        self._launcher = launcher
        self._observer = observer
        self._door = door
        self._files = files
        self._attachers: dict[str, tuple[tuple[str, str], Attacher]] = {}  # of each environment's present start

    async def attach(self, args: DebugAttachArgs, ctx: ClientContext, connection: Connection) -> Any:
        bench = await self._registry.find(args, ctx)
        container = bench.require_running()
        check_network(container.network_mode, allowed=args.allow_host_network)
        subject = await self._observer.subject(bench, args.target)
        if subject.record is not None and subject.record.get("kind") == "debug":
            raise DebugError(f"{subject.name} runs under the debugger already", "attach to it: F5, or devenv status")
        process, others = choose(subject)
        named = subject.run or subject.kernel
        who = f"{subject.name} (process {process.pid})" if named else f"process {process.pid} ({process.name})"
        door = await self._door.open(bench)
        began = time.monotonic()
        order = Order(process.pid, who, args.subprocess, args.privileged)
        try:
            attached = await self._attach(bench, process, order)
        except DebugError as error:
            if subject.kernel:
                raise DebugError(error.message, f"{error.hint}; {_KERNEL}", details=error.details) from error
            raise
        front = await self._launcher.put_in_front(
            bench, attached.endpoints, process.pid, children=args.subprocess, answers=not attached.waits
        )
        seconds = time.monotonic() - began
        self._remember(bench, subject, attached, front)
        await self._door.open_sessions(bench)
        if args.launch_json and door is not None:
            facts = self._files.facts(bench, just_my_code=args.just_my_code, subprocess=args.subprocess)
            await self._files.keep(bench, ctx.umask, connection, facts, attach=True)
        where = f"{door.host}:{door.host_port}" if door else f"127.0.0.1:{attached.port} (the host's own network)"
        notes = [*attached.notes, *_others(others), *([door.note] if door and door.note else [])]
        text = f"devenv: debugger ready at {where}: in {who}, "
        if attached.waits:
            text = f"devenv: debugger waits for {who} at {where}"
        else:
            text += "as before" if attached.way == "already" else f"after {seconds:.1f} s; the program goes on"
        return {
            "attached": {
                "pid": process.pid,
                "run": subject.run,
                "name": subject.name,
                "way": attached.way,
                "seconds": round(seconds, 3),
                "waits": attached.waits,
                "notes": notes,
            },
            "debug": self._door.view(bench),
            "text": "\n".join([text, *(f"devenv: {note}" for note in notes)]),
        }

    async def _attach(self, bench: Workbench, process: Process, order: Order) -> Attached:
        container = bench.require_running()
        primary = await bench.link()
        own = process.uid == primary.hello.uid
        link = primary if own else await bench.link(str(process.uid))
        attacher = self._attacher(bench)
        attached = await attacher.attach(
            order,
            link=link,
            delivery=self._launcher.delivery(bench),
            elevated=privileged(bench.engine, container.id),
        )
        if not own:
            attached = await attacher.tell(attached, link, primary)
        return attached

    def _attacher(self, bench: Workbench) -> Attacher:
        container = bench.require_running()
        start = (container.id, container.started_at)
        known = self._attachers.get(bench.target.key)
        if known is None or known[0] != start:
            known = (start, Attacher())
            self._attachers[bench.target.key] = known
        return known[1]

    def _remember(self, bench: Workbench, subject: Subject, attached: Attached, front: str) -> None:
        container = bench.require_running()
        key = subject.run or f"process-{attached.pid}"
        entry = Entry(container.id, container.started_at, key, subject.name, attached.pid, front, time.time())
        bench.attached.add(entry)
        known = next((session for session in bench.sessions.live() if session.run == key), None)
        if known is None:
            bench.sessions.adopt(entry, subject.record)
        else:  # it keeps its name and its port
            known.endpoints, known.port = front, None
        bench.changes.touch()


def choose(subject: Subject) -> tuple[Process, list[Process]]:
    """The Python process that is meant, and its other ones, each of which would be a choice of its own (ranks, say).

    A process that was named by its number is meant itself, whatever it has started.
    """
    listed = {process.pid for process in subject.processes}
    first = next(process for process in subject.processes if process.ppid not in listed)
    if subject.record is None:
        if tuple(first.argv[1:5]) == _OWN:
            raise Refused(f"{subject.name} is devenv's own", "see: devenv runs")
        return first, []
    pythons = [process for process in subject.processes if process.python]
    if not pythons:
        raise NotFound(f"{subject.name} is no Python program and has started none", "see: devenv exec -- ps ax")
    known = {process.pid for process in pythons}
    first = next((process for process in pythons if process.ppid not in known), pythons[0])
    return first, [process for process in pythons if process.pid != first.pid]


def _others(others: list[Process]) -> list[str]:
    if not others:
        return []
    named = ", ".join(str(process.pid) for process in others[:8])
    more = f" and {len(others) - 8} more" if len(others) > 8 else ""
    return [f"it has other Python processes, each to be attached to by its number: {named}{more}"]
