"""One environment as the view models that front ends get. Reads a workbench, changes nothing."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import msgspec

from devenv.api.views import (
    DebugView,
    DriftView,
    EnvironmentView,
    EnvStatus,
    OperationView,
    ProgressView,
    RunConfigView,
    ServiceView,
    Snapshot,
    TestsView,
    UsageView,
)
from devenv.config import DevenvConfig
from devenv.errors import DevenvError
from devenv.runs.history import to_view
from devenv.runs.resolve import top_scripts
from devenv.supervisor.operation import Operation
from devenv.supervisor.workbench import Workbench

_RUNS_SHOWN = 50
_SCRIPTS_SHOWN = 12

STATUS = {
    "running": EnvStatus.RUNNING,
    "paused": EnvStatus.PAUSED,
    "restarting": EnvStatus.STARTING,
    "created": EnvStatus.BROKEN,
    "exited": EnvStatus.STOPPED,
    "dead": EnvStatus.BROKEN,
    "removing": EnvStatus.ABSENT,
}
PENDING = "hooks"  # the operation of lifecycle commands that nobody waits for
_LOG_SHOWN = 30  # lines
_WORKING = {"up": EnvStatus.CREATING, "rebuild": EnvStatus.BUILDING, "start": EnvStatus.STARTING}


def status_of(bench: Workbench) -> EnvStatus:
    if bench.engine_lost:
        return EnvStatus.ENGINE_LOST
    operation = bench.operation
    if operation is not None and operation.running and operation.verb in _WORKING and not bench.running:
        return _WORKING[operation.verb]
    if bench.container is None:
        return EnvStatus.ABSENT
    return STATUS.get(bench.container.status, EnvStatus.BROKEN)


def environment_view(
    bench: Workbench, drift: Sequence[DriftView] = (), *, shutdown_action: str = ""
) -> EnvironmentView:
    container = bench.container
    probed = bench.probed
    link = bench.current_link
    reason = link.reason if link is not None else bench.no_python
    return EnvironmentView(
        key=bench.target.key,
        name=bench.target.name,
        local_folder=bench.target.local_folder,
        config_file=bench.target.config_file,
        status=status_of(bench),
        container=container.name if container else "",
        container_id=container.id if container else "",
        image=container.image if container else "",
        started=epoch(container.started_at) if container and bench.running else None,
        remote_user=bench.remote_user,
        workspace_folder=bench.paths.workspace,
        python=(probed.python or "") if probed else "",
        python_version=probed.python_version if probed else "",
        engine=bench.endpoint.shown,
        host=(bench.endpoint.name or bench.endpoint.shown) if bench.endpoint.remote else "",
        round_trip=bench.round_trip,
        tier=link.tier.value if link is not None else ("engine" if bench.no_python else ""),
        tier_reason=reason,
        adopted=bench.adopted,
        owner=bench.owner,
        usage=usage_view(bench),
        drift=list(drift or bench.drift),
        notes=[*([bench.misread] if bench.misread else []), *bench.notes],
        pending=list(bench.pending),
        shutdown_action=shutdown_action,
        others=list(bench.target.others),
    )


def usage_view(bench: Workbench) -> UsageView:
    """CPU as a share of one core between the two newest samples."""
    if bench.usage is None:
        return UsageView()
    before, now = bench.usage
    took = float(now["time"]) - float(before["time"])
    percent = (now["cpu_usec"] - before["cpu_usec"]) / took / 10_000 if took > 0 else 0.0
    return UsageView(
        cpu_percent=max(0.0, percent),
        cpus=float(now.get("cpus") or 0.0),
        memory=int(now.get("memory") or 0),
        memory_limit=now.get("memory_limit"),
        oom_kills=int(now.get("oom_kills") or 0),
    )


def config_views(bench: Workbench, config: DevenvConfig) -> list[RunConfigView]:
    """The declared run configurations; without any, the scripts that the project's root holds."""
    live = {record["name"]: record["id"] for record in bench.runs.live()}
    views = []
    for name, run in config.runs.items():
        kind = "script" if run.script else "module" if run.module else "command"
        command = run.command if isinstance(run.command, str) else " ".join(run.command or ())
        text = " ".join([run.script or (f"-m {run.module}" if run.module else command), *run.args])
        views.append(RunConfigView(name=name, command=text, kind=kind, run=live.get(name)))
    if not views:
        scripts = top_scripts(bench.target.local_folder)[:_SCRIPTS_SHOWN]
        views = [
            RunConfigView(name=name, command=name, kind="script", found=True, run=live.get(name)) for name in scripts
        ]
    return views


def snapshot(
    bench: Workbench,
    config: DevenvConfig | None,
    problem: DevenvError | None,
    services: Sequence[ServiceView],
    debug: DebugView | None,
    shutdown_action: str = "",
) -> Snapshot:
    """`problem`: why devenv.yaml could not be read; the rest is shown all the same."""
    environment = environment_view(bench, shutdown_action=shutdown_action)
    if problem is not None:
        environment = EnvironmentView(
            **{name: getattr(environment, name) for name in environment.__struct_fields__ if name != "notes"},
            notes=[*environment.notes, problem.message],
        )
    return Snapshot(
        environment=environment,
        configs=config_views(bench, config) if config is not None else [],
        runs=[to_view(record) for record in bench.runs.all()[:_RUNS_SHOWN]],
        services=list(services),
        ports=bench.forwarder.table(),
        tests=bench.tests.view() if bench.tests is not None else TestsView(),
        debug=debug,
        operation=operation_view(bench.operation) if bench.operation is not None else None,
        sync=bench.files.view() if bench.files is not None else None,
    )


def without_secrets(view: Snapshot) -> Snapshot:
    """For answers that are printed, piped and pasted: tokens stay with who asks for one address, and with watchers."""
    return msgspec.structs.replace(
        view,
        services=[msgspec.structs.replace(service, secret_url="") for service in view.services],
        ports=[msgspec.structs.replace(port, secret_url="") for port in view.ports],
    )


def operation_view(operation: Operation) -> OperationView:
    """What an operation told, each step as it is now. An ended one has been looked at before: its view stays."""
    if operation.final is not None:
        return operation.final
    steps: dict[str, ProgressView] = {}
    log: list[str] = []
    for message in operation.told:
        if message["t"] != "progress":
            log.append(str(message["text"]))
            continue
        key = message["key"]
        known = steps.get(key)
        steps[key] = ProgressView(
            key=key,
            title=message.get("title") or (known.title if known else key),
            fraction=message.get("fraction"),
            detail=message.get("detail") or "",
            done=message["done"],
            ok=message.get("ok", True),
        )
    failure = operation.failure
    view = OperationView(
        verb=operation.verb,
        started=operation.started,
        running=operation.running,
        steps=list(steps.values()),
        log=log[-_LOG_SHOWN:],
        error=str(getattr(failure, "message", failure)) if failure is not None else "",
        hint=str(getattr(failure, "hint", "")),
    )
    if not view.running:
        operation.final = view
    return view


def epoch(stamp: str) -> float | None:
    """The engine's RFC 3339 time (nanoseconds, Z) as seconds since the epoch."""
    try:
        whole, _, fraction = stamp.rstrip("Z").partition(".")
        moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.UTC)
        return moment.timestamp() + float(f"0.{fraction[:6] or 0}")
    except ValueError:
        return None
