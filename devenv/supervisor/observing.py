"""From what a person wants looked at to its processes, and to the tool that looks.

The rooms do the work (`devenv.profile`, `devenv.delivery`); this file brings them together for one environment.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from devenv.errors import NotFound
from devenv.profile.cache import ToolCache
from devenv.profile.frames import Sources
from devenv.profile.host_pid import container_pid
from devenv.profile.reach import Process
from devenv.profile.spying import Spy
from devenv.runs.history import find
from devenv.services import kernels
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.workbench import Workbench


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """Processes to look at, and the run that they belong to, if it is one. The first of a kernel is the kernel."""

    name: str
    record: Mapping[str, Any] | None
    processes: list[Process]
    listed: Mapping[str, Any]  # the agent's answer
    sources: Sources
    kernel: bool = False

    @property
    def run(self) -> str | None:
        return str(self.record["id"]) if self.record is not None else None


class Observer:
    def __init__(self, launcher: Launcher, cache: ToolCache) -> None:
        self._launcher = launcher
        self.cache = cache

    async def subject(self, bench: Workbench, target: str) -> Subject:
        """`target`: a run, a process by its number, a Jupyter kernel by its notebook or as `kernel`; "" is the newest
        run. Raises NotFound for a run that has ended, a process that is not there, and when nothing is alive."""
        container = bench.require_running()
        link = await bench.link()
        await bench.refresh_runs()
        record = self._run(bench, target)
        kernel = record is None and not target.isdigit()
        if record is not None:
            listed = await link.request("processes", run=record["id"])
            name = str(record.get("name", record["id"]))
        elif kernel:
            found = kernels.choose(await kernels.kernels(link), target, bench.paths)
            listed = await link.request("processes", pids=[found.pid], below=True)
            name = found.name
        else:
            pid = int(target)
            listed = await link.request("processes", pids=[pid], below=True)
            inside = None if listed["processes"] else await asyncio.to_thread(container_pid, pid, container.id)
            if inside is not None:
                listed = await link.request("processes", pids=[inside], below=True)
            name = f"process {inside or pid}"
        processes = [Process.of(item) for item in listed["processes"]]
        if not processes:
            if kernel:
                raise NotFound(f"the kernel of {target} has just ended", "run a cell in it: that starts another one")
            if record is None:
                raise NotFound(f"there is no process {target} in the container", "see: devenv exec -- ps ax")
            raise NotFound(f"{name} has just ended", f"its output: devenv logs {record['id']}")
        cwd = str((record or {}).get("cwd", ""))
        return Subject(name, record, processes, listed, Sources(bench.paths, cwd), kernel)

    def _run(self, bench: Workbench, target: str) -> Mapping[str, Any] | None:
        """The live run that is meant; None when `target` is a process id, or means a kernel."""
        live = [record for record in bench.runs.live() if record["kind"] != "service"]
        if not target:
            if not live:
                raise NotFound(
                    "no run is alive",
                    "start one: devenv run SCRIPT; a process outside of runs goes by its number, Jupyter's by `kernel`",
                )
            return live[0]
        try:
            return find(bench.runs.live(), target, live=True)
        except NotFound as error:
            if target.isdigit() or kernels.is_meant(target):
                return None
            try:
                ended = find(bench.runs.all(), target)
            except NotFound:
                raise error from None
            raise NotFound(
                f"{ended.get('name', target)} ({ended['id']}) has ended: it stands nowhere",
                "`devenv runs` lists what is alive; `devenv profile --list` what was recorded",
            ) from None

    async def spy(self, bench: Workbench, subject: Subject) -> Spy:
        """py-spy, delivered when it is not there yet. Raises ProfileError when it cannot be had."""
        container = bench.require_running()
        link = await bench.link()
        tree = await asyncio.to_thread(self.cache.py_spy, str(subject.listed["machine"]))
        placing = self._launcher.placing(bench)
        folder = await placing.place(link, tree, tree.name, link_files=True)
        return Spy(
            link,
            bench.engine,
            container.id,
            f"{folder}/py-spy",
            mounted=placing.payload_dir is not None,
            uid=int(subject.listed["uid"]),
            yama=int(subject.listed["yama"]),
        )
