"""Both disks, the engine between them, and what befalls them: what people do, and what goes wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import random
import stat
from collections.abc import Coroutine
from typing import Any, TypeVar

from devenv.sync.core.merge import Mode
from devenv.sync.session import Report, Session
from tests.unit.sync.simulator.disks import OWN, Crash, Disk
from tests.unit.sync.simulator.driven import driven
from tests.unit.sync.simulator.ends import End, Link, Record
from tests.unit.sync.simulator.far import Far, Near
from tests.unit.sync.simulator.ground import NEVER
from tests.unit.sync.simulator.kernel import Kernel
from tests.unit.sync.simulator.loop import Loop
from tests.unit.sync.simulator.people import Action, People
from tests.unit.sync.simulator.schedule import PATHS, WIRE, Item, Schedule

T = TypeVar("T")


@dataclasses.dataclass(slots=True, eq=False)
class _Armed:
    """What happens at a call that is still to come."""

    call: str
    count: int  # how many more; where any call counts, the number of that call
    action: Action


class Scene:
    def __init__(self, schedule: Schedule, host: Disk | None = None) -> None:
        self.schedule = schedule
        self.disks = {"host": host or Disk("host", 1), "container": Disk("container", 2)}
        self.kernel = Kernel(self.disks)
        self.kernel.exchanges = schedule.exchanges
        self.kernel.excused = not schedule.exchanges or schedule.mode.value != "two-way-safe"
        self.people = People(self.kernel)
        self.links = {name: Link(schedule.pieces) for name in self.disks}
        self._chance = random.Random(schedule.seed + 1)  # where a stream ends
        self._loop: Loop | None = Loop(self._idle) if schedule.wire else None  # type: ignore[abstract]
        self.story: list[str] = []
        self.record = Record(self._before_save, lambda: self._at_save("saved"), self._void)
        self._armed: list[_Armed] = []
        self._crashed = False
        self._unsaved = False
        self._ignored: frozenset[str] = frozenset()
        self._missed = False
        self._voids = False
        self._renewed = False
        self._everything = False
        self._broken = False
        self._forgotten = False  # by a person's word: what differs is a conflict then, whoever wrote it
        self._must_halt: dict[str, str] = {}  # side -> why
        self._names = 0
        self.thorough = False  # `Far.thorough`
        self.session: Session
        self.halted: Report | None = None
        self.report: Report | None = None
        for disk in self.disks.values():
            disk.attributes = {} if schedule.attributes else None
            disk.untouchable = disk.name == schedule.alone
            disk.gives = schedule.mode is (Mode.TO_CONTAINER if disk.name == "host" else Mode.TO_HOST)
        self._connect(*self.disks)

    # the engine's processes

    def _connect(self, *names: str) -> None:
        ends = getattr(self, "ends", {})
        for name in names:
            disk = self.disks[name]
            if name in ends:
                ends[name].finish()
            disk.dead = False
            disk.undurable.clear()
            self.links[name].down = False
            self.kernel.fds = {fd: handle for fd, handle in self.kernel.fds.items() if handle.disk is not disk}
            ends[name] = self._end_of(disk)
            if self._ignored:
                ends[name].ignore(self._ignored)
        self.ends: dict[str, End] = ends
        if self.schedule.wire and names == ("container",):
            self.session = self.session.resumed(ends["container"], self.schedule.mode)
            return
        self.session = Session(ends["host"], ends["container"], self.record, self._name, self.schedule.mode)  # type: ignore[arg-type]

    def _end_of(self, disk: Disk) -> End:
        if self.schedule.wire and disk.name == "container":
            news = self.schedule.seed // WIRE % 2 == 1
            far = Far(disk, self.links[disk.name], lambda: self._crashed, self._chance, self._driven, news=news)
            far.thorough = self.thorough
            return far
        return (Near if self.schedule.wire else End)(disk, self.links[disk.name], lambda: self._crashed)

    def _idle(self) -> bool:
        end = self.ends["container"]
        return isinstance(end, Far) and end.idle()

    def _driven(self, coro: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(coro) if self._loop is not None else driven(coro)

    def _name(self) -> str:
        self._names += 1
        return f"c{self._names}"

    def _at_save(self, name: str) -> None:
        self.kernel.calls += 1
        self._due(name, self.disks["host"])

    def _before_save(self) -> None:
        self._at_save("save")
        if self._crashed:
            raise Crash
        if self._unsaved:
            self._unsaved = False
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.kernel.must_be_durable()

    def _void(self) -> None:
        """Nothing is agreed on any more: what a side had once is no reason for a deletion."""
        for disk in self.disks.values():
            new = disk.cycle if self.kernel.decided else -1
            disk.shown = {path: found for path, found in disk.shown.items() if disk.since[path] == new}
            disk.show(disk.root)
            for path, text in disk.still:
                disk.shown.setdefault(path, set()).add(text)
                disk.since.setdefault(path, disk.cycle)
            disk.still = []
            disk.untouchable = False

    def _void_soon(self, inside: bool) -> None:
        """What a cycle has already decided may still be done."""
        if isinstance(end := self.ends["container"], Far):
            end.anew = True
        if inside and self.kernel.cycling:  # and not while the container only says what it has heard
            self._voids = True
            for disk in self.disks.values():
                disk.still = [(path, inode.data) for path, inode in disk.files()]
        else:
            self._void()

    # what happens

    def _due(self, call: str, disk: Disk) -> None:
        for waiting in [waiting for waiting in self._armed if waiting.call == call or not waiting.call]:
            if waiting.call:
                waiting.count -= 1
            if waiting.count == 0 or (not waiting.call and waiting.count <= self.kernel.calls):
                self._armed.remove(waiting)
                self._listen()
                self._say(f"    [{call} on the {disk.name}]")
                self._do(self._aimed(waiting.action, call, disk), inside=True)
        if self._crashed and call == "saved":
            raise Crash

    def _aimed(self, action: Action, call: str, disk: Disk) -> Action:
        """At the very path that the engine is at, where people write there at all."""
        if action.path != "*":
            return action
        side = action.side or disk.name
        return dataclasses.replace(action, side=side, path=self.kernel.subject(call) or PATHS[0])

    def arm(self, item: Item) -> None:
        self._armed.append(_Armed(item.call, item.count + (0 if item.call else self.kernel.calls), item.action))
        self._listen()

    def _listen(self) -> None:
        self.kernel.due = self._due if self._armed else None
        self.kernel.awaited = frozenset(waiting.call for waiting in self._armed)
        self.kernel.alarm = min((waiting.count for waiting in self._armed if not waiting.call), default=NEVER)

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
                    self._driven(end.close())
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
        disk.moved()
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
        self.disks[action.side].touched.add("")
        if not inside:
            self._must_halt[action.side] = "gone"


_TROUBLES = {
    "crash": Scene._crash,
    "orphan": Scene._orphan,
    "kill": Scene._kill,
    "cut": Scene._cut,
    "flip": Scene._flip,
    "full": Scene._full,
    "unsaved": Scene._cannot_save,
    "damage": Scene._damage,
    "restart": Scene._restart,
    "rules": Scene._rules,
    "jump": Scene._jump,
    "recreate": Scene._recreate,
    "elsewhere": Scene._elsewhere,
    "unmount": Scene._unmount,
}
