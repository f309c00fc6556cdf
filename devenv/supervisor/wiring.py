"""The one place where the supervisor's objects are built. Everything is passed in; nothing reaches for a global."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import pathlib
import socket
from collections.abc import Callable

from devenv.api import dropin_messages, messages, paths, profiling
from devenv.api.context import ClientContext
from devenv.debug.cache import DebugpyCache
from devenv.errors import DevenvError
from devenv.forward.handover import Listener
from devenv.hosts.book import LOCAL
from devenv.hosts.choose import VARIABLE as HOST_VARIABLE
from devenv.profile.cache import ToolCache
from devenv.supervisor.bring_up import BringUp
from devenv.supervisor.door import Door
from devenv.supervisor.dropin_answers import Answers
from devenv.supervisor.editor_files import EditorFiles
from devenv.supervisor.handover import HandOver
from devenv.supervisor.launcher import Launcher
from devenv.supervisor.live import Live
from devenv.supervisor.observing import Observer
from devenv.supervisor.profiler import Profiler
from devenv.supervisor.registry import Registry
from devenv.supervisor.server import Handler, Server
from devenv.supervisor.verbs.attach_debug import AttachDebugVerbs
from devenv.supervisor.verbs.compose import ComposeVerbs
from devenv.supervisor.verbs.configurations import ConfigurationVerbs
from devenv.supervisor.verbs.debug import DebugVerbs
from devenv.supervisor.verbs.debug_sessions import DebugSessionVerbs
from devenv.supervisor.verbs.dropin import DropinVerbs
from devenv.supervisor.verbs.environment import EnvironmentVerbs
from devenv.supervisor.verbs.fronts import FrontVerbs
from devenv.supervisor.verbs.hosts import HostVerbs
from devenv.supervisor.verbs.ide import IdeVerbs
from devenv.supervisor.verbs.images import ImageVerbs
from devenv.supervisor.verbs.ports import PortVerbs
from devenv.supervisor.verbs.processes import ProcessVerbs
from devenv.supervisor.verbs.profile import ProfileVerbs
from devenv.supervisor.verbs.runs import RunVerbs
from devenv.supervisor.verbs.sync import SyncVerbs
from devenv.supervisor.verbs.tests import TestVerbs
from devenv.supervisor.verbs.watch import WatchVerbs
from devenv.supervisor.workbench import Workbench

log = logging.getLogger("devenv.supervisor")


_PLACELESS = ("ls", "host", "supervisor", "hand-over")  # verbs of no project

_UNCLAIMED = 15.0  # seconds after which a predecessor's listener that no forward wants is closed


class Supervisor:
    """Owns the server and the registry for one run of the process."""

    def __init__(self, server: Server, registry: Registry, live: Live, handover: HandOver) -> None:
        self.server = server
        self._handover = handover
        self._registry = registry
        self._live = live

    async def run(self, listener: socket.socket) -> None:
        async with asyncio.TaskGroup() as group:
            restore = group.create_task(self._restore())
            drain = group.create_task(self._drain())
            await self.server.serve(listener)
            restore.cancel()
            drain.cancel()
        await self._registry.close()

    async def _drain(self) -> None:
        await self._handover.drain()
        self.server.stopping.set()

    async def _restore(self) -> None:
        """Environments that ran when the last supervisor ended are taken over, ports first of all."""
        ctx = ClientContext("/", 0o022, dict(os.environ), os.getuid())
        here = dataclasses.replace(ctx, env={**ctx.env, HOST_VARIABLE: LOCAL})
        async with asyncio.TaskGroup() as group:
            # One for each host: what cannot be reached, or is slow, holds up nobody.
            every = [group.create_task(self._restore_from(one)) for one in (here, *self._registry.where.elsewhere(ctx))]
            await asyncio.wait(every, timeout=_UNCLAIMED)
            self._registry.drop_inherited()

    async def _restore_from(self, ctx: ClientContext) -> None:
        try:
            for bench in await self._registry.restore(ctx):
                bench.start(self._reconnect(bench), "restore")
        except DevenvError as error:
            log.warning("[host=%s] what ran before is not taken over: %s", ctx.env.get(HOST_VARIABLE), error)
            self._registry.when_back(ctx, self._restore_from)
        except Exception:
            log.exception("the restore failed")

    async def _reconnect(self, bench: Workbench) -> None:
        try:
            await self._live.connect(bench, None)
            # Ports that a program opened are claimed when the agent has told of them; no event says that it is all.
            await asyncio.sleep(_UNCLAIMED)
        finally:
            bench.forwarder.drop_unclaimed()


def build(state: pathlib.Path, lock: int, inherited: dict[str, list[Listener]] | None = None) -> Supervisor:
    """A supervisor over the state folder `state`, of which it holds the lock (a descriptor). `inherited`: what a
    predecessor listened on."""
    owner = f"{os.getuid()}@{paths.machine_id()}"
    registry = Registry(state, owner, inherited)
    launcher = Launcher(registry, DebugpyCache(state / "cache" / "debugpy"))
    door = Door(registry)
    live = Live(registry, launcher, door)
    runs = RunVerbs(registry, launcher, door)
    files = EditorFiles(registry, door)
    debug = DebugVerbs(registry, launcher, runs, door, files)
    ide = IdeVerbs(registry, door, files)
    observer = Observer(launcher, ToolCache(state / "cache" / "profile"))
    profile = ProfileVerbs(registry, launcher, runs, observer, Profiler(launcher, observer))
    attach_debug = AttachDebugVerbs(registry, launcher, observer, door, files)
    bringing = BringUp(registry, live)
    environment = EnvironmentVerbs(registry, live, bringing, files)
    processes = ProcessVerbs(registry, launcher)
    tests = TestVerbs(registry, launcher, runs)
    ports = PortVerbs(registry, live)
    dropin = DropinVerbs(registry, bringing, processes, Answers(registry))
    configurations = ConfigurationVerbs(registry)
    compose = ComposeVerbs(registry)
    images = ImageVerbs(registry)
    hosts = HostVerbs(registry)
    fronts = FrontVerbs(registry, environment)
    stop: list[Callable[[], None]] = []
    watch = WatchVerbs(registry, live, lambda: stop[0]())
    handover = HandOver(registry, lock)
    verbs: dict[str, tuple[type[messages.Args], Handler]] = {
        "up": (messages.UpArgs, environment.up),
        "start": (messages.UpArgs, environment.start),
        "rebuild": (messages.UpArgs, environment.rebuild),
        "stop": (messages.StopArgs, environment.stop),
        "down": (messages.StopArgs, environment.down),
        "status": (messages.Args, environment.status),
        "dropin-up": (dropin_messages.DropinUpArgs, dropin.up),
        "dropin-set-up": (dropin_messages.DropinSetUpArgs, dropin.set_up),
        "dropin-build": (dropin_messages.DropinBuildArgs, dropin.build),
        "dropin-run-user-commands": (dropin_messages.DropinCommandsArgs, dropin.run_user_commands),
        "dropin-read-configuration": (dropin_messages.DropinReadArgs, dropin.read_configuration),
        "dropin-exec": (dropin_messages.DropinExecArgs, dropin.exec),
        "dropin-remove": (dropin_messages.DropinArgs, dropin.remove),
        "ls": (messages.LsArgs, environment.ls),
        "host": (messages.HostArgs, hosts.host),
        "init": (messages.InitArgs, environment.init),
        "exec": (messages.ExecArgs, processes.exec),
        "shell": (messages.ExecArgs, processes.shell),
        "run": (messages.RunArgs, runs.run),
        "rerun": (messages.RerunArgs, runs.rerun),
        "runs": (messages.RunsArgs, runs.runs),
        "logs": (messages.AttachArgs, runs.logs),
        "attach": (messages.AttachArgs, runs.attach),
        "kill": (messages.KillArgs, runs.kill),
        "read": (messages.ReadArgs, runs.read),
        "input": (messages.InputArgs, runs.input),
        "resize": (messages.ResizeArgs, runs.resize),
        "debug": (messages.DebugArgs, debug.debug),
        "debug-sessions": (messages.DebugSessionsArgs, DebugSessionVerbs(registry, door).sessions),
        "debug-attach": (messages.DebugAttachArgs, attach_debug.attach),
        "ide": (messages.IdeArgs, ide.ide),
        "stack": (profiling.StackArgs, profile.stack),
        "profile": (profiling.ProfileArgs, profile.profile),
        "record": (profiling.ProfileArgs, profile.record),
        "profiles": (profiling.ProfilesArgs, profile.profiles),
        "test": (messages.TestArgs, tests.test),
        "watch-tests": (messages.WatchTestsArgs, tests.watch_tests),
        "ports": (messages.Args, ports.ports),
        "forward": (messages.ForwardArgs, ports.forward),
        "services": (messages.ServiceArgs, ports.services),
        "address": (messages.ServiceArgs, ports.address),
        "configs": (messages.Args, configurations.configs),
        "sync": (messages.SyncArgs, SyncVerbs(registry, live).sync),
        "compose": (messages.ComposeArgs, compose.compose),
        "build": (messages.BuildArgs, images.build),
        "vendor": (messages.Args, images.vendor),
        "watch": (messages.WatchArgs, watch.watch),
        "opening": (messages.OpeningArgs, fronts.opening),
        "leave": (messages.LeaveArgs, fronts.leave),
        "supervisor": (messages.ServiceArgs, watch.supervisor),
        "hand-over": (messages.HandOverArgs, handover.hand_over),
        "build-log": (messages.LogsArgs, watch.build_log),
        "container-log": (messages.LogsArgs, watch.container_log),
    }
    server = Server(verbs, lambda verb, args, ctx: ctx if verb in _PLACELESS else registry.placed(args, ctx))
    handover.server = server
    stop.append(server.stopping.set)
    return Supervisor(server, registry, live, handover)
