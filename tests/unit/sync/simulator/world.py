"""A schedule, carried out: what people see, what the engine does, and when it must not go on."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import stat
from collections.abc import Iterator

from devenv.errors import LinkError
from devenv.sync.core import guards
from devenv.sync.core.entries import count_files
from devenv.sync.core.guards import Halt
from devenv.sync.core.merge import Why
from devenv.sync.endpoint import Hints
from devenv.sync.session import Report, Session
from devenv.sync.side.apply import MOVING
from tests.unit.sync.simulator.disks import OWN, Crash, Disk, Inode, Violation
from tests.unit.sync.simulator.ends import End, Link, Record
from tests.unit.sync.simulator.installed import install
from tests.unit.sync.simulator.kernel import Kernel
from tests.unit.sync.simulator.loop import Loop
from tests.unit.sync.simulator.people import Action, People
from tests.unit.sync.simulator.schedule import PATHS, Item, Schedule

QUIET = 14  # cycles after which everything must be at rest
_REST = 3_000_000_000  # nanoseconds between two of these
_GAP = 40_000_000


class World:
    def __init__(self, schedule: Schedule, host: Disk | None = None) -> None:
        self.schedule = schedule
        self.disks = {"host": host or Disk("host", 1), "container": Disk("container", 2)}
        self.kernel = Kernel(self.disks)
        self.kernel.exchanges = schedule.exchanges
        self.kernel.excused = not schedule.exchanges or schedule.mode.value != "two-way-safe"
        self.people = People(self.kernel)
        self.links = {name: Link(schedule.pieces) for name in self.disks}
        self.story: list[str] = []
        self.loop = Loop()
        self.record = Record(self._before_save, lambda: self._due("saved", self.disks["host"]), self._void)
        self._armed: list[list[object]] = []  # [call, how many more, item]
        self._crashed = False
        self._unsaved = False
        self._ignored: frozenset[str] = frozenset()
        self._missed = False
        self._voids = False
        self._renewed = False
        self._everything = False
        self._broken = False
        self._must_halt: dict[str, str] = {}  # side -> why
        self._names = 0
        self.halted: Report | None = None
        self.report: Report | None = None
        for disk in self.disks.values():
            disk.attributes = {} if schedule.attributes else None
            disk.untouchable = disk.name == schedule.alone
        self._connect(*self.disks)

    # the engine's processes

    def _connect(self, *names: str) -> None:
        ends = getattr(self, "ends", {})
        for name in names:
            disk = self.disks[name]
            disk.dead = False
            disk.undurable.clear()
            self.links[name].down = False
            self.kernel.fds = {fd: handle for fd, handle in self.kernel.fds.items() if handle.disk is not disk}
            ends[name] = End(disk, self.links[name], lambda: self._crashed)
            if self._ignored:
                ends[name].ignore(self._ignored)
        self.ends: dict[str, End] = ends
        self.session = Session(ends["host"], ends["container"], self.record, self._name, self.schedule.mode)  # type: ignore[arg-type]

    def _name(self) -> str:
        self._names += 1
        return f"c{self._names}"

    def _before_save(self) -> None:
        self._due("save", self.disks["host"])
        if self._crashed:
            raise Crash
        if self._unsaved:
            self._unsaved = False
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.kernel.must_be_durable()

    def _void(self) -> None:
        """Nothing is agreed on any more: what a side had once is no reason for a deletion."""
        for disk in self.disks.values():
            disk.shown.clear()
            disk.show(disk.root)
            disk.untouchable = False

    def _void_soon(self, inside: bool) -> None:
        """What a cycle has already decided may still be done."""
        if inside:
            self._voids = True
        else:
            self._void()

    # what happens

    def _due(self, call: str, disk: Disk) -> None:
        for waiting in list(self._armed):
            if waiting[0] in ("", call):
                waiting[1] -= 1  # type: ignore[operator]
                if waiting[1] == 0:
                    self._armed.remove(waiting)
                    self._listen()
                    assert isinstance(waiting[2], Item)
                    self._say(f"    [{call} on the {disk.name}]")
                    self._do(self._aimed(waiting[2].action, call, disk), inside=True)
        if self._crashed and call == "saved":
            raise Crash

    def _aimed(self, action: Action, call: str, disk: Disk) -> Action:
        """At the very path that the engine is at, where people write there at all."""
        if action.path != "*":
            return action
        side = action.side or disk.name
        return dataclasses.replace(action, side=side, path=self.kernel.subject(call) or PATHS[0])

    def _listen(self) -> None:
        self.kernel.due = self._due if self._armed else None

    def _say(self, text: str) -> None:
        self.story.append(text)

    def _do(self, action: Action, inside: bool = False) -> None:
        indent = "    " if inside else "  "
        trouble = _TROUBLES.get(action.what)
        if trouble is not None:
            self._say(f"{indent}{action}")
            trouble(self, action, inside)
            return
        disk = self.disks[action.side]
        if not self.people.act(disk, action):
            return
        self._say(f"{indent}{action}")
        new = action.what == "empty" and action.path == OWN and disk.attributes is None  # it looks like a new folder
        if new:
            self._void_soon(inside)
            self._renewed = self._renewed or disk.name == "container"
        if action.what == "empty" and not inside and (not new or disk.name == "host"):
            self._must_halt[disk.name] = "empty"
        elif self._must_halt.get(disk.name) == "empty":
            del self._must_halt[disk.name]

    def _crash(self, _: Action, __: bool) -> None:
        self._crashed = True
        for disk in self.disks.values():
            disk.dead = True

    def _orphan(self, _: Action, __: bool) -> None:
        """The host dies; what the container was asked for last it does to the end."""
        self._crashed = True
        self.disks["host"].dead = True

    def _kill(self, _: Action, __: bool) -> None:
        self.disks["container"].dead = True

    def _cut(self, _: Action, __: bool) -> None:
        self.links["container"].down = True

    def _flip(self, action: Action, _: bool) -> None:
        self.links[action.side].flip = int(action.to)

    def _full(self, action: Action, _: bool) -> None:
        self.disks[action.side].space = int(action.to)

    def _cannot_save(self, _: Action, __: bool) -> None:
        self._unsaved = True

    def _damage(self, _: Action, inside: bool) -> None:
        if not inside:  # it is read when a process begins
            self.record.damaged = self._renewed = True
            self._connect(*self.disks)

    def _restart(self, _: Action, inside: bool) -> None:
        """In good order: what the scanners know is kept."""
        if not inside:
            for end in self.ends.values():
                with contextlib.suppress(Crash):
                    self.loop.run(end.close())
            self._crashed = False
            self._connect(*self.disks)

    def _rules(self, action: Action, inside: bool) -> None:
        if not inside:
            self._ignored = frozenset(action.to.split())
            for end in self.ends.values():
                end.ignore(self._ignored)
            self._everything = True

    def _jump(self, action: Action, _: bool) -> None:
        disk = self.disks[action.side]
        disk.skew += -3600 * 10**9 if disk.skew >= 0 else 86400 * 10**9

    def _recreate(self, action: Action, inside: bool) -> None:
        """Another folder is at the path now, with files of its own."""
        self._elsewhere(action, inside)
        self._kill(action, inside)

    def _elsewhere(self, action: Action, inside: bool) -> None:
        disk = self.disks[action.side]
        disk.taken.update(path for path, _ in disk.walk())
        disk.root = disk.born(stat.S_IFDIR, 0o755)
        disk.root.links = 1
        disk.undurable.clear()
        self._void_soon(inside)
        if disk.attributes is not None:
            disk.attributes = {}
        for number, path in enumerate(action.to.split()):
            self.people.save(disk, Action("save", disk.name, path, text=action.text + b"%d" % number))
        disk.touched.add("")
        if disk.name == "container":
            self._renewed = True
        elif not inside:
            self._must_halt[disk.name] = "another"

    def _unmount(self, action: Action, inside: bool) -> None:
        self.disks[action.side].absent = True
        if not inside:
            self._must_halt[action.side] = "gone"

    # a cycle

    def _hints(self, end: End, how: str) -> Hints | None:
        if how == "none":
            return None
        heard = end.heard(how == "late")
        if how == "lost":
            return Hints(heard.dirty, True)
        if how == "missed":
            self._missed = True
            return Hints(frozenset(), False)
        return heard

    def _files(self, disk: Disk) -> Iterator[tuple[str, Inode]]:
        return ((path, inode) for path, inode in disk.walk() if inode.kind == stat.S_IFREG)

    def cycle(self, how: str, allow: bool = False) -> Report | None:
        """None where it came to no end."""
        self.kernel.now += _GAP
        before = {disk: [path for path, _ in self._files(disk)] for disk in self.disks.values()}
        for disk in self.disks.values():
            disk.taken.clear()
            disk.cycle += 1
        agreed = self.record.tree
        # Where the container's folder is new nothing can be deleted, and nobody is asked.
        must_halt = {} if count_files(agreed) < 2 or self.halted or self._renewed else self._must_halt
        if self.halted is not None or self._everything:
            how = "none"  # as a pair does it after a halt, and with new rules
        self._everything = False
        hints = {name: self._hints(end, how) for name, end in self.ends.items()}
        self.kernel.cycling = True
        try:
            report = self.loop.run(self.session.cycle(hints["host"], hints["container"], allow_deletions=allow))
        except BaseException as error:  # a whole group of them, mostly
            self._failed(error)
            return None
        finally:
            self.kernel.cycling = False
        self._look(report, before, allow)
        for name in must_halt:
            heard = hints[name]
            if report.halted is None and (heard is None or heard.lost or heard.dirty):
                self.kernel.forbid(f"it went on although the root of the {name} is another one")
        self._must_halt = {}
        self._renewed = False
        self.halted = report if report.halted is not None else None
        return report

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            self.kernel.forbid(f"a cycle raises what nobody expects: {error!r}")
        self._broken = True  # what has come of a content stays, until something is to be done there
        if not isinstance(error, (OSError, LinkError, Crash)):
            raise error
        self._say(f"  cycle: {error!r}")
        for disk in self.disks.values():
            disk.untouchable = False  # of steps that are not agreed on, a deletion is none
        self._end()
        if self._crashed:
            self._crashed = False
            self._connect(*self.disks)
        elif self.links["container"].down or self.disks["container"].dead:
            self._connect("container")

    def _end(self) -> None:
        for disk in self.disks.values():
            for _, inode in self._files(disk):
                inode.kept = True
            disk.steps.clear()
        if self._voids:
            self._voids = False
            self._void()
        if self.kernel.violated:
            raise Violation(self.kernel.violated[0])

    def _look(self, report: Report, before: dict[Disk, list[str]], allow: bool) -> None:
        said = (
            f"halted: {report.halted.why.value}"
            if report.halted
            else ", ".join(
                [f"{count} steps on the {side.value}" for side, count in report.done.items() if count]
                + [f"{conflict.path}: {conflict.why.value}" for conflict in report.conflicts]
                + [f"{failure.path} on the {failure.side.value}: {failure.why}" for failure in report.failures]
            )
        )
        self._say(f"  cycle: {said or 'nothing'}")
        if self.kernel.fds:
            self.kernel.forbid(f"{len(self.kernel.fds)} files were left open")
        for disk in self.disks.values():
            if report.halted is not None and disk.steps:
                self.kernel.forbid(f"{disk.name}: {disk.steps[0]} was changed although it halted")
            gone = set(before[disk]) - {path for path, _ in disk.walk()} - disk.taken
            if not allow and len(gone) > max(guards.FEW_DELETIONS, guards.MANY_DELETIONS * len(before[disk]) + 1):
                self.kernel.forbid(f"{disk.name}: {len(gone)} files went, and nobody was asked")
        self._end()

    # to the end

    def run(self) -> None:
        """Raises Violation."""
        with install(self.kernel):
            try:
                for item in self.schedule.items:
                    if item.count:
                        self._armed.append([item.call, item.count, item])
                        self._listen()
                    elif item.action.what == "cycle":
                        allow = self.answer(self.halted) if self.halted is not None else False
                        self.cycle(item.action.to, allow)
                    else:
                        self._do(item.action)
                        self._revive()
                self._quiet()
            finally:
                self.kernel.due = None

    def _revive(self) -> None:
        if self._crashed:
            self._crashed = False
            self._connect(*self.disks)
        elif self.disks["container"].dead or self.links["container"].down:
            self._connect("container")

    def answer(self, report: Report) -> bool:
        """What a person says; whether deletions are allowed."""
        assert report.halted is not None
        match report.halted.why:
            case Halt.DELETIONS:
                return True
            case Halt.ROOT_GONE | Halt.ROOT_CHANGED:
                for disk in self.disks.values():
                    disk.absent = False
            case Halt.REPLICA | Halt.EMPTIED:
                self._say("  forget")
                try:
                    self.loop.run(self.session.forget())
                    self._void()
                except (OSError, Crash) as error:
                    self._failed(error)
        return False

    def _quiet(self) -> None:
        armed, self._armed = self._armed, []
        self._listen()
        self._say("  quiet")
        for waiting in armed:
            item = waiting[2]
            assert isinstance(item, Item)
            self._do(self._aimed(item.action, "", self.disks["host"]))
            self._revive()
        self._revive()
        for name, disk in self.disks.items():
            disk.space, disk.absent, self._unsaved = None, False, False
            self.links[name].flip = 0
            if self._must_halt.get(name) == "gone":
                del self._must_halt[name]
            self.people.allow(disk)
        rest = 0
        allow = False
        how = "none" if self._missed else "exact"
        for _ in range(QUIET):
            self.kernel.now += _REST
            report = self.cycle(how, allow)
            allow = False
            if report is None:
                rest = 0
            elif report.halted is not None:
                rest, allow = 0, self.answer(report)
            elif report.failures or any(report.done.values()):
                rest = 0
            else:
                rest += 1
                if rest == 2:
                    break
        else:
            self.kernel.forbid("no end: " + self.story[-1])
        saves = self.record.saves
        self.kernel.now += _REST
        report = self.cycle("none")
        if report is None or report.halted or not report.settled or any(report.done.values()):
            self.kernel.forbid("a full look finds something that the hints did not tell")
        if self.record.saves != saves:
            self.kernel.forbid("nothing was done, and something else is agreed on")
        self._compare(report)

    def _compare(self, report: Report) -> None:
        odd = {conflict.path for conflict in report.conflicts}
        seen: list[dict[str, tuple[int, bytes, bool]]] = []
        for disk in self.disks.values():
            found = {}
            for path, inode in disk.walk():
                if inode.kind == stat.S_IFIFO or path.rpartition("/")[2] in self._ignored:
                    odd.add(path)
                content = b"" if inode.is_folder else inode.data
                found[path] = (inode.kind, content, inode.kind == stat.S_IFREG and bool(inode.mode & stat.S_IXUSR))
            seen.append(found)
            stage = disk.own("stage")
            if stage is not None and any(name.startswith(MOVING) or not self._broken for name in stage.entries):
                self.kernel.forbid(f"{disk.name}: {', '.join(stage.entries)} are left in the staging folder")
        host, container = seen
        for path in sorted({*host, *container}):
            if host.get(path) != container.get(path) and not any(_related(path, other) for other in odd):
                here, there = _said(host.get(path)), _said(container.get(path))
                self.kernel.forbid(f"{path} is {here} and {there}, and nobody says so")
        alone = self.schedule.alone and not self._broken
        if alone and any(conflict.why is Why.BOTH_CHANGED for conflict in report.conflicts):
            self.kernel.forbid("a conflict with nobody")


_TROUBLES = {
    "crash": World._crash,
    "orphan": World._orphan,
    "kill": World._kill,
    "cut": World._cut,
    "flip": World._flip,
    "full": World._full,
    "unsaved": World._cannot_save,
    "damage": World._damage,
    "restart": World._restart,
    "rules": World._rules,
    "jump": World._jump,
    "recreate": World._recreate,
    "elsewhere": World._elsewhere,
    "unmount": World._unmount,
}


def _related(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")


def _said(what: tuple[int, bytes, bool] | None) -> str:
    if what is None:
        return "not there"
    return {stat.S_IFDIR: "a folder", stat.S_IFREG: "a file", stat.S_IFLNK: "a link"}.get(what[0], "?") + (
        f" {what[1]!r}" if what[1] else ""
    )
