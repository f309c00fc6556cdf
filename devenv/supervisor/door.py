"""The one host port where an environment's debugger is reached, whatever runs behind it."""

from __future__ import annotations

from devenv.api.views import DebugView, PortView
from devenv.debug.door import door_port
from devenv.supervisor.registry import Registry
from devenv.supervisor.workbench import Workbench

_NAME = "debugger"


class Door:
    """Stateless: the forwarder holds the listener, the sessions know where it leads."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def preferred(self, bench: Workbench) -> int:
        """The configured port, else the one that follows from the project's name. ConfigError."""
        return self._registry.config(bench).debug.port or door_port(bench.target.name)

    async def open(self, bench: Workbench) -> PortView | None:
        """Safe to repeat. None where the network is the host's: there is nothing to forward."""
        container = bench.container
        if container is None or container.network_mode == "host":
            return None
        return await bench.forwarder.expose_door(_NAME, self.preferred(bench), bench.sessions.target)

    def view(self, bench: Workbench) -> DebugView | None:
        """What screens and `status` show of it; None before it is open."""
        for port in bench.forwarder.table():
            if port.source == "debug" and port.host_port is not None:
                return bench.sessions.view(port.host_port, host=port.host, connections=port.connections, note=port.note)
        return None
