"""A schedule, carried out: what people see, what the engine does, and when it must not go on."""

from __future__ import annotations

import stat
from collections.abc import Callable

from devenv.errors import LinkError
from devenv.sync import session
from devenv.sync.core import guards
from devenv.sync.core.entries import count_files
from devenv.sync.core.guards import Halt
from devenv.sync.core.merge import Why
from devenv.sync.endpoint import Hints
from devenv.sync.session import Report
from devenv.sync.side.apply import MOVING
from tests.unit.sync.simulator.disks import Crash, Disk, Inode, Violation
from tests.unit.sync.simulator.ends import End
from tests.unit.sync.simulator.far import Far
from tests.unit.sync.simulator.installed import install
from tests.unit.sync.simulator.scene import Scene

QUIET = 14  # cycles after which everything must be at rest
_REST = 3_000_000_000  # nanoseconds between two of these
_GAP = 40_000_000
_LOOKS = 12  # calls in which what was taken away is looked at once more and put back


class World(Scene):
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

    def cycle(self, how: str, allow: bool = False, *, calm: bool = True) -> Report | None:
        """None where it came to no end."""
        self.kernel.now += _GAP
        before = {disk: disk.files() for disk in self.disks.values()}
        for disk in self.disks.values():
            disk.taken.clear()
            disk.cycle += 1
        renewed = self._renewed
        must_halt = self._must_halt
        # Where the container's folder is new nothing can be deleted, and nobody is asked.
        if must_halt and (count_files(self.record.tree) < 2 or self.halted or self._renewed):
            must_halt = {}
        if self.halted is not None or self._everything:
            how = "none"  # as a pair does it after a halt, and with new rules
        self._everything = False
        self.kernel.cycling = True
        hints = {name: self._hints(end, how) for name, end in self.ends.items()}
        try:
            report = self._driven(
                self.session.cycle(hints["host"], hints["container"], allow_deletions=allow, calm=calm)
            )
        except BaseException as error:  # a whole group of them, mostly
            self._failed(error)
            return None
        finally:
            self.kernel.cycling = False
        self._look(report, before, allow, calm)
        looked = {name for name, heard in hints.items() if heard is None or heard.lost or heard.dirty}
        looked -= {name for name, disk in self.disks.items() if disk.of_before}  # what was said before that happened
        for name in must_halt:
            if report.halted is None and name in looked:
                self.kernel.forbid(f"it went on although the root of the {name} is another one")
        self._must_halt = {}
        # Under way, or where no hint came yet, the next cycle finds it.
        self._renewed = self._renewed and not (renewed and "container" in looked)
        self.halted = report if report.halted is not None else None
        self._container(Far.rest)
        return report

    def _container(self, does: Callable[[Far], None]) -> None:
        if isinstance(end := self.ends["container"], Far):
            does(end)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            self.kernel.forbid(f"a cycle raises what nobody expects: {error!r}")
        for end in self.ends.values():
            if end.gone or self._crashed:
                end.finish()
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
        elif self.ends["container"].gone:
            self._connect("container")

    def _end(self) -> None:
        for disk in self.disks.values():
            ended = disk.dead or self._crashed
            for at, why in disk.taken_away.values():
                if not ended or self.kernel.calls - at > _LOOKS:
                    self.kernel.violated.append(f"{disk.name}:{why}")
            disk.taken_away.clear()
            for _, inode in disk.files():
                inode.kept = True
            disk.steps.clear()
        if self._voids:
            self._voids = False
            self.kernel.decided = True
            self._void()
            self.kernel.decided = False
        if self.kernel.violated:
            raise Violation(self.kernel.violated[0])

    def _look(self, report: Report, before: dict[Disk, list[tuple[str, Inode]]], allow: bool, calm: bool) -> None:
        said = (
            f"halted: {report.halted.why.value}"
            if report.halted
            else ", ".join(
                (["somebody may be deleting"] if report.unsure else [])
                + [f"{count} steps on the {side.value}" for side, count in report.done.items() if count]
                + [f"{conflict.path}: {conflict.why.value}" for conflict in report.conflicts]
                + [f"{failure.path} on the {failure.side.value}: {failure.why}" for failure in report.failures]
            )
        )
        self._say(f"  cycle: {said or 'nothing'}")
        if self.kernel.fds:
            self.kernel.forbid(f"{len(self.kernel.fds)} files were left open")
        for disk in self.disks.values():
            if (report.halted is not None or report.unsure) and disk.steps:
                self.kernel.forbid(f"{disk.name}: {disk.steps[0]} was changed although it halted, or was not sure")
            if not disk.steps:
                continue  # what people did is theirs
            gone = {path for path, _ in before[disk]} - {path for path, _ in disk.walk()} - disk.taken
            if not allow and len(gone) > max(guards.FEW_DELETIONS, guards.MANY_DELETIONS * len(before[disk]) + 1):
                self.kernel.forbid(f"{disk.name}: {len(gone)} files went, and nobody was asked")
            exact = self.kernel.exchanges and not report.failures  # else what was replaced may be gone as well
            if not calm and exact and len(gone) >= session.SEVERAL:
                self.kernel.forbid(f"{disk.name}: {len(gone)} files went while somebody wrote")
        self._end()

    # to the end

    def run(self) -> None:
        """Raises Violation."""
        with install(self.kernel):
            try:
                for item in self.schedule.items:
                    if item.count:
                        self.arm(item)
                    elif item.action.what == "cycle":
                        allow = self.answer(self.halted) if self.halted is not None else False
                        report = self.cycle(item.action.to, allow, calm=allow or self.kernel.calls % 2 == 0)
                        if report is not None and report.unsure:
                            self.cycle("exact")  # as a pair does it, some time later
                    else:
                        self._do(item.action)
                        self._container(Far.breathe)
                        self._revive()
                self._quiet()
            finally:
                self.kernel.due = None

    def dissolve(self) -> None:
        for disk in self.disks.values():
            disk.dissolve()
        self.__dict__.clear()

    def _revive(self) -> None:
        if self._crashed:
            self._crashed = False
            self._connect(*self.disks)
        elif self.ends["container"].gone:
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
                    self._driven(self.session.forget())
                    self._void()
                    self._forgotten = True
                except (OSError, Crash) as error:
                    self._failed(error)
        return False

    def _quiet(self) -> None:
        armed, self._armed = self._armed, []
        self._listen()
        self._say("  quiet")
        for waiting in armed:
            self._do(self._aimed(waiting.action, "", self.disks["host"]))
            self._revive()
        self._revive()
        for name, disk in self.disks.items():
            disk.space, disk.absent, self._unsaved = None, False, False
            self.links[name].flip = 0
            if self._must_halt.get(name) == "gone":
                del self._must_halt[name]
            self.people.allow(disk)
        self.thorough = True
        self._container(_thoroughly)
        allow = False
        how = "none" if self._missed else "exact"
        for _ in range(QUIET):
            self.kernel.now += _REST
            report = self.cycle(how, allow)
            allow = report is not None and report.halted is not None and self.answer(report)
            if report is not None and report.settled and not any(report.done.values()):
                break  # one more would have nothing to look at
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
        gives = [found for found, disk in zip(seen, self.disks.values(), strict=True) if disk.gives]
        for path in sorted(gives[0] if gives else {*host, *container}):  # what the other one has besides is its own
            if host.get(path) != container.get(path) and not any(_related(path, other) for other in odd):
                here, there = _said(host.get(path)), _said(container.get(path))
                self.kernel.forbid(f"{path} is {here} and {there}, and nobody says so")
        alone = self.schedule.alone and not self._broken and not self._forgotten
        if alone and any(conflict.why is Why.BOTH_CHANGED for conflict in report.conflicts):
            self.kernel.forbid("a conflict with nobody")


def _thoroughly(end: Far) -> None:
    end.thorough = True


def _related(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")


def _said(what: tuple[int, bytes, bool] | None) -> str:
    if what is None:
        return "not there"
    return {stat.S_IFDIR: "a folder", stat.S_IFREG: "a file", stat.S_IFLNK: "a link"}.get(what[0], "?") + (
        f" {what[1]!r}" if what[1] else ""
    )
