"""Bringing debugpy into a running program: survey, trial, entry, in two short programs in the container."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from devenv.debug.attach import bundle
from devenv.debug.attach.facts import Subject, Survey
from devenv.debug.attach.refusals import check, check_python, from_job, missing_right
from devenv.debug.delivery import Delivery
from devenv.debug.endpoints import read_endpoints
from devenv.debug.spec import endpoints_path
from devenv.delivery.inspect import collect
from devenv.errors import DebugError, Refused

if TYPE_CHECKING:
    from devenv.engine.port import Engine
    from devenv.link.port import Link

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LIMIT = 90.0  # seconds for one program in the container; each of its steps has a shorter limit of its own

Runner = Callable[[str, Mapping[str, str], Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""(interpreter, variables, job) to the job's answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Attached:
    """A program that has a debugger. `endpoints` is the file in the container in which its adapter tells its port; it
    goes away with the adapter, and that with the program."""

    pid: int
    started: int  # the kernel's ticks, see Subject
    uid: int
    endpoints: str
    port: int | None  # the adapter's, in the container; None when it was there before
    way: str  # pending | thread | remote-exec | already
    seconds: float  # that the program was worked on
    notes: tuple[str, ...] = ()
    waits: bool = False  # it stands in C: the debugger is there once it comes back to Python


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What is to be attached to. `who` names it in messages, e.g. "train (process 41)"."""

    pid: int
    who: str
    subprocess: bool = True
    privileged: bool = False  # a person has agreed to a privileged exec


def by_link(link: Link) -> Runner:
    """Jobs run as the link's user, without any right more."""

    async def run(python: str, env: Mapping[str, str], job: Mapping[str, Any]) -> dict[str, Any]:
        channel = await link.spawn(bundle.argv(python), env={"PATH": _PATH, **env}, cwd="/")
        try:
            await channel.send(bundle.order(job))
            await channel.send_eof()
            out, err, result = await collect(channel)
        finally:
            await channel.close()
        return _answer(out, err, result)

    return run


def privileged(engine: Engine, container: str) -> Runner:
    """Jobs run as root with every capability, by the container's Python: only for a person who has agreed."""

    async def run(python: str, env: Mapping[str, str], job: Mapping[str, Any]) -> dict[str, Any]:
        stream = await engine.exec_stream(
            container, bundle.argv(python), user="0", env={"PATH": _PATH, **env}, workdir="/", privileged=True
        )
        kept = {1: bytearray(), 2: bytearray()}
        try:
            await stream.write(bundle.order(job))
            while (received := await stream.read()) is not None:
                kept[received[0]] += received[1][: max(0, (1 << 20) - len(kept[received[0]]))]
            code = await stream.exit_code()
        finally:
            await stream.close()
        return _answer(bytes(kept[1]), bytes(kept[2]), {"exit": code})

    return run


def _answer(out: bytes, err: bytes, result: Mapping[str, Any]) -> dict[str, Any]:
    try:
        said = json.loads(out.decode("utf-8", "replace").strip().splitlines()[-1])
        if isinstance(said, dict):
            return said
    except (IndexError, ValueError):
        pass
    last = err.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"it ended with {dict(result)}"]
    raise DebugError(f"attaching failed in the container: {last[0]}", "the program goes on as before")


class Attacher:
    """Belongs to one container start: remembers which interpreters have stood the trial."""

    def __init__(self) -> None:
        self._tried: set[tuple[str, int]] = set()
        self._locks: dict[int, asyncio.Lock] = {}

    async def attach(self, order: Order, *, link: Link, delivery: Delivery, elevated: Runner) -> Attached:
        """`link` is one of the process's own user. Safe to repeat: a program that has our debugger keeps it.

        Raises NotFound (it has ended), Refused (a right is missing; `details["ask"]` where a person can give it),
        DebugError. In every case the program goes on as before.
        """
        async with self._locks.setdefault(order.pid, asyncio.Lock()):
            return await self._attach(order, link, delivery, elevated)

    async def tell(self, attached: Attached, link: Link, reader: Link) -> Attached:
        """The same, with the port in a file that `reader`, a link of another user, can read."""
        port = attached.port or await read_endpoints(link, attached.endpoints)
        path = endpoints_path(reader.hello.state_dir)
        channel = await reader.spawn(["sh", "-c", 'umask 077; cat >"$0"', path], env={"PATH": _PATH}, cwd="/")
        try:
            await channel.send(json.dumps({"client": {"host": "127.0.0.1", "port": port}}).encode("ascii"))
            await channel.send_eof()
            await collect(channel)
        finally:
            await channel.close()
        return dataclasses.replace(attached, endpoints=path)

    async def _attach(self, order: Order, link: Link, delivery: Delivery, elevated: Runner) -> Attached:
        run = by_link(link)
        look = {"op": "survey", "pid": order.pid}
        survey = _survey(await _within(run(link.hello.executable, {}, look), order.who))
        subject = check(survey, order.pid, order.who)
        refused = missing_right(survey, subject, order.who)
        if refused is not None:
            if not (order.privileged and isinstance(refused, Refused) and refused.details.get("ask")):
                raise refused
            run = elevated
            survey = _survey(await _within(run(link.hello.executable, {}, look), order.who))
            subject = check(survey, order.pid, order.who)
        check_python(survey, subject, order.who)
        assert subject.interpreter is not None
        debugpy = await delivery.debugpy(link, subject.interpreter)
        endpoints = endpoints_path(link.hello.state_dir)
        job = self._job(order, subject, debugpy, endpoints, link.hello.state_dir)
        job["elevated"] = run is elevated
        return await self._enter(order, survey, subject, job, link, run)

    def _job(self, order: Order, subject: Subject, debugpy: str, endpoints: str, state: str) -> dict[str, Any]:
        interpreter = subject.interpreter
        assert interpreter is not None
        env = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        if interpreter.machine != "x86_64" or interpreter.glibc is None:
            env["PYDEVD_LOAD_NATIVE_LIB"] = "0"  # there is none for it, and pydevd says so on the program's stderr
        return {
            "op": "attach",
            "pid": subject.pid,
            "started": subject.started,
            "exe": subject.exe,
            "uid": subject.uid,
            "gid": subject.gid,
            "capabilities": subject.capabilities,
            "trial": (subject.exe, subject.uid) not in self._tried,
            "debugpy": debugpy,
            "endpoints": endpoints,
            "state": state,
            "subprocess": order.subprocess,
            "env": env,
            "remote_exec": subject.has_remote_exec and not subject.replaced,
        }

    async def _enter(
        self, order: Order, survey: Survey, subject: Subject, job: dict[str, Any], link: Link, run: Runner
    ) -> Attached:
        own = subject.has_ctypes
        python = (f"/proc/{subject.pid}/exe" if subject.replaced else subject.exe) if own else link.hello.executable
        for _ in range(2):
            said = await _within(run(python, subject.env if own else {}, job), order.who)
            problem = str(said.get("problem") or "")
            if problem != "trial":
                self._tried.add((subject.exe, subject.uid))
            if problem != "already":
                break
            endpoints = str(said["endpoints"])
            port = await read_endpoints(link, endpoints)
            if port is not None:
                return _attached(subject, endpoints, port=port, way="already")
            job = {**job, "gone": str(said["token"]), "trial": False}  # its adapter was killed: it gets another one
        if problem == "waits":
            note = (
                f"{order.who} stands in C code and has not come back to Python: the debugger is there as soon as"
                " it does (devenv stack shows where it stands)"
            )
            return _attached(subject, str(job["endpoints"]), way="pending", notes=(note,), waits=True)
        if problem:
            raise from_job(problem, str(said.get("why") or ""), int(said.get("errno") or 0), order.who)
        return _attached(
            subject,
            str(job["endpoints"]),
            port=int(said["client"]),
            way=str(said["way"]),
            seconds=float(said["seconds"]),
            notes=tuple(_cost(subject, str(said["said"].get("reach")))),
        )


async def _within(job: Awaitable[dict[str, Any]], who: str) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_LIMIT):
            return await job
    except TimeoutError:
        raise DebugError(
            f"the container did not answer in {_LIMIT:.0f} s while {who} was attached to",
            "is it paused, or out of memory? the program goes on as before; try it again",
        ) from None


def _attached(subject: Subject, endpoints: str, **more: Any) -> Attached:
    more.setdefault("port", None)
    more.setdefault("seconds", 0.0)
    return Attached(pid=subject.pid, started=subject.started, uid=subject.uid, endpoints=endpoints, **more)


def _cost(subject: Subject, reach: str) -> list[str]:
    """What it costs the program, where that is not nothing, and what the debugger does not reach."""
    assert subject.interpreter is not None
    minor = subject.interpreter.minor
    if reach == "monitoring":
        return []
    version = f"Python {minor[0]}.{minor[1]}"
    notes = [f"with {version}, calls are 4 to 8 times slower while a debugger is attached; detached, it costs nothing"]
    if reach == "main":
        notes.append("breakpoints count in the main thread and in threads that begin while a debugger is attached")
    return notes


def _survey(said: Mapping[str, Any]) -> Survey:
    try:
        return Survey.of(said)
    except (KeyError, TypeError, ValueError) as error:
        raise DebugError(
            f"the container's answer makes no sense: {error!r}", "the program goes on as before"
        ) from error
