"""Threads of many processes, folded: one stack for all that stand at the same place. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from devenv.api.profiling import ProcessView, StackView, ThreadView
from devenv.profile.dump import Thread
from devenv.profile.frames import Frame, Sources, clean
from devenv.profile.labels import label
from devenv.profile.reach import Process


def fold(threads: Sequence[Thread], sources: Sources) -> list[StackView]:
    """One entry for each different stack: main threads first, then where the project's code is, then the most."""
    same: dict[tuple[Frame, ...], list[Thread]] = {}
    for thread in threads:
        same.setdefault(thread.frames, []).append(thread)
    made = []
    for frames, members in same.items():
        view = StackView(
            threads=[
                ThreadView(pid=m.pid, id=m.id, name=m.name, active=m.active, gil=m.gil)
                for m in sorted(members, key=lambda m: (not m.main, m.pid, m.id))
            ],
            frames=[sources.view(frame) for frame in frames],
        )
        main = any(member.main for member in members)
        own = any(frame.own for frame in view.frames)
        made.append((not main, not own, -len(members), min(m.pid for m in members), view))
    return [entry[-1] for entry in sorted(made, key=lambda entry: entry[:-1])]


def describe(
    processes: Sequence[Process], threads: Mapping[int, Sequence[Thread]], problems: Mapping[int, tuple[str, str]]
) -> list[ProcessView]:
    """Every process with what it is, parents before children. `problems`: (what, what to do) by process id."""
    return [
        ProcessView(
            pid=process.pid,
            parent=process.ppid,
            label=label(process, threads.get(process.pid, ())),
            command=clean(" ".join(process.argv) or process.name),
            uid=process.uid,
            state=process.state,
            threads=process.threads,
            python=process.python,
            problem=problems.get(process.pid, ("", ""))[0],
            hint=problems.get(process.pid, ("", ""))[1],
        )
        for process in _in_order(processes)
    ]


def _in_order(processes: Sequence[Process]) -> list[Process]:
    known = {process.pid for process in processes}
    children: dict[int, list[Process]] = {}
    for process in sorted(processes, key=lambda process: process.pid):
        children.setdefault(process.ppid if process.ppid in known else 0, []).append(process)
    ordered: list[Process] = []

    def walk(pid: int) -> None:
        for process in children.get(pid, []):
            ordered.append(process)
            walk(process.pid)

    walk(0)
    return ordered
