"""The services of one environment: what there is, what state each one is in, starting and stopping them.

State is derived from run records and from what listens in the container, so a new supervisor finds running services
again. Concurrency: everything belongs to one event loop; starting one service twice at once starts it once.
"""

from __future__ import annotations

import asyncio
import pathlib
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from devenv.api.views import RunState, ServiceView
from devenv.debug.endpoints import last_output
from devenv.debug.sessions import how_it_ended
from devenv.errors import DevenvError, NotFound
from devenv.runs.resolve import near_matches
from devenv.services.installed import installed
from devenv.services.plan import ServicePlan, free_port, plan_services, service_spec
from devenv.services.tokens import Tokens

if TYPE_CHECKING:
    from devenv.config import DevenvConfig
    from devenv.forward.forwarder import Forwarder
    from devenv.link.port import Link
    from devenv.runs.spec import Probed
    from devenv.runs.workspace import WorkspacePaths

READY_WITHIN = 60.0  # seconds for which a start waits; a slower service goes on starting
_LIVE = (RunState.STARTING, RunState.RUNNING)
_ENDED_WELL = (0, -2, -15, 130, 143)


class _Service:
    def __init__(self, plan: ServicePlan) -> None:
        self.plan = plan
        self.record: Mapping[str, Any] | None = None
        self.output = ""
        self.url = ""
        self.stopping = False
        self.lock = asyncio.Lock()

    @property
    def live(self) -> bool:
        return self.record is not None and self.record.get("state") in _LIVE

    @property
    def port(self) -> int | None:
        port = (self.record or {}).get("meta", {}).get("port")
        return port if isinstance(port, int) else None


class ServiceBook:
    """`secrets` is a file of this environment on the host; `on_change` is called when a view may differ."""

    def __init__(self, secrets: pathlib.Path, on_change: Callable[[], None] = lambda: None) -> None:
        self._tokens = Tokens(secrets)
        self._on_change = on_change
        self._services: dict[str, _Service] = {}
        self._link: Link | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._listening: frozenset[int] = frozenset()
        self._found: frozenset[str] = frozenset()
        self._probed: Probed | None = None
        self._workspace: WorkspacePaths | None = None
        self._changed = asyncio.Event()  # replaced at each change: who waits, waits for the next one
        self._binding = asyncio.Lock()

    async def find(
        self,
        config: DevenvConfig,
        link: Link,
        probed: Probed,
        workspace: WorkspacePaths,
        forwarder: Forwarder | None = None,
    ) -> None:
        """Learns what is declared, installed and running. Cheap when nothing changed; safe to repeat.

        With a forwarder, services that run already are forwarded again.
        """
        self._probed, self._workspace = probed, workspace
        async with self._binding:  # who comes second must not plan with what is not looked up yet
            if link is not self._link:
                await self._bind(link, probed)
        plans = plan_services(config, self._found)
        for plan in plans:
            known = self._services.get(plan.name)
            if known is None:
                self._services[plan.name] = _Service(plan)
            else:
                known.plan = plan
        names = {plan.name for plan in plans}
        for name in [name for name, service in self._services.items() if name not in names and not service.live]:
            del self._services[name]
        for record in await link.request("runs.list"):
            self._take_in(record)
        if forwarder is not None:
            for service in self._services.values():
                if service.live:
                    await self._forward(service, forwarder)
        self._touch()

    async def _bind(self, link: Link, probed: Probed) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._link = link
        self._unsubscribe = link.subscribe(self._on_event)
        self._found = await installed(link, probed.python, probed.env)
        await self._list_ports(link)

    async def _list_ports(self, link: Link) -> None:
        try:
            answer = await link.request("ports.list")
        except DevenvError:
            return  # an agent that cannot tell: services then count as running when their process does
        self._hear(answer.get("listeners") or [])

    def _hear(self, listeners: list[Mapping[str, Any]]) -> None:
        self._listening = frozenset(int(listener["port"]) for listener in listeners)

    def _on_event(self, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "run":
                self._take_in(event["record"])
            case "ports":
                self._hear(event.get("listeners") or [])
        self._touch()

    def _take_in(self, record: Mapping[str, Any]) -> None:
        name = (record.get("meta") or {}).get("service")
        if record.get("kind") != "service" or name not in self._services:
            return
        service = self._services[name]
        known = service.record
        if known is None or float(record["started"]) >= float(known["started"]):
            service.record = record

    def _touch(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        self._on_change()

    def autostart(self) -> list[str]:
        """Names of the services that start with `up`; one whose program is missing is among them, and says so."""
        return [name for name, service in self._services.items() if service.plan.config.autostart]

    def _service(self, name: str) -> _Service:
        if name not in self._services:
            near = near_matches(name, sorted(self._services), [])
            known = ", ".join(sorted(self._services)) or "none"
            hint = f"did you mean {' or '.join(near)}?" if near else f"services here: {known}"
            raise NotFound(f"there is no service {name!r}", hint, details={"near": near})
        return self._services[name]

    async def start(self, name: str, link: Link, forwarder: Forwarder) -> ServiceView:
        """Starts the service, unless it runs, and returns when its page answers or `READY_WITHIN` has passed.

        Raises NotFound for an unknown name or a missing program, and DevenvError, with the last output, when the
        service ends at once.
        """
        service = self._service(name)
        async with service.lock:
            if not service.live:
                await self._launch(service, link)
            await self._forward(service, forwarder)
            await self._until_ready(service, link)
        if not service.live:
            raise DevenvError(
                f"service {name} {how_it_ended(service.record or {})}",
                f"its last output:\n{service.output}" if service.output else f"see: devenv logs {name}",
                details={"service": name, "output": service.output},
            )
        return self._view(service)

    async def _launch(self, service: _Service, link: Link) -> None:
        plan = service.plan
        if plan.missing:
            raise NotFound(plan.missing, "install it in the image, or with pip in the environment")
        assert self._probed is not None
        assert self._workspace is not None
        await self._list_ports(link)
        port = plan.port
        if port is not None and plan.kind != "command":
            port = free_port(port, self._listening)
        spec = service_spec(
            plan,
            port,
            workspace=self._workspace,
            probed=self._probed,
            remote_env={},
            token=self._tokens.get(plan.name) if plan.needs_token else "",
            root_user=link.hello.uid == 0,
        )
        service.stopping, service.output = False, ""
        record: Mapping[str, Any] = await link.request("runs.start", run=spec.to_wire())
        if service.record is None or service.record["id"] != record["id"]:
            service.record = record  # else its events came first, and know more
        self._touch()

    async def _forward(self, service: _Service, forwarder: Forwarder) -> None:
        port = service.port
        if port is None:
            return
        view = await forwarder.expose(port, host_port=None, label=service.plan.name, source="service", protocol="http")
        service.url = f"http://{view.host}:{view.host_port}/{service.plan.page}" if view.host_port else ""

    async def _until_ready(self, service: _Service, link: Link) -> None:
        try:
            async with asyncio.timeout(READY_WITHIN):
                while service.live and not self._ready(service):
                    await self._changed.wait()
        except TimeoutError:
            return
        if not service.live and service.record is not None:
            service.output = await last_output(link, str(service.record["id"]))

    def _ready(self, service: _Service) -> bool:
        return service.port is None or service.port in self._listening

    async def stop(self, name: str, link: Link) -> None:
        """Ends the service (INT, TERM, KILL, each after a grace). A stopped one stays stopped."""
        service = self._service(name)
        async with service.lock:
            if service.live and service.record is not None:
                service.stopping = True
                service.record = await link.request("runs.end", run=service.record["id"])
                self._touch()

    def container_ended(self) -> None:
        """The container stopped: nothing runs, and what was found may differ at the next start."""
        for service in self._services.values():
            service.record = None
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._unsubscribe = self._link = None
        self._listening = frozenset()
        self._touch()

    def views(self) -> list[ServiceView]:
        return [self._view(service) for service in self._services.values()]

    def _view(self, service: _Service) -> ServiceView:
        plan = service.plan
        state, reason = self._state(service)
        url = service.url if service.live else ""
        secret = url
        if url and plan.needs_token:
            secret = f"{url}?{urllib.parse.urlencode({'token': self._tokens.get(plan.name)})}"
        return ServiceView(
            name=plan.name,
            kind=plan.kind,
            state=state,
            declared=plan.declared,
            run=str(service.record["id"]) if service.record is not None and service.live else None,
            port=service.port if service.live else plan.port,
            url=url,
            secret_url=secret,
            reason=reason,
        )

    def _state(self, service: _Service) -> tuple[str, str]:
        record = service.record
        if service.live:
            return ("running", "") if self._ready(service) else ("starting", "")
        if service.plan.missing:
            return "missing", service.plan.missing
        if record is None or service.stopping or record.get("state") == RunState.LOST:
            return "stopped", ""
        code = record.get("exit_code")
        number = record.get("signal")
        if (code if code is not None else -(number or 0)) in _ENDED_WELL and not service.output:
            return "stopped", ""
        last = service.output.splitlines()[-1:] or [""]
        return "failed", f"{how_it_ended(record)}{': ' + last[0] if last[0] else ''}"
