"""What two configuration files say about ports, as one value for the forwarder. Pure."""

from __future__ import annotations

from devcontainer import ports
from devcontainer.merge import Merged
from devenv.config import DevenvConfig
from devenv.config.model import AutoForward
from devenv.forward.settings import ConfiguredPort, ForwardSettings, Traits

_AUTO = {AutoForward.OPEN_BROWSER: "openBrowser", AutoForward.OPEN_BROWSER_ONCE: "openBrowserOnce"}


def port_settings(merged: Merged, config: DevenvConfig) -> ForwardSettings:
    """devenv.yaml's word on a port goes before devcontainer.json's (and its image's) attributes for it."""
    wanted = dict.fromkeys(merged.forward_ports)
    wanted.update(dict.fromkeys(ports.ForwardPort("localhost", port) for port in config.ports.configured))

    def traits(port: int, command_line: str, host: str = "localhost") -> Traits:
        asked = ports.ForwardPort(host, port)
        said = ports.attributes(asked, command_line, merged.ports_attributes, merged.other_ports_attributes)
        ours = config.ports.configured.get(port) if host == "localhost" else None
        if ours is None:
            known = asked in wanted or said.declared
            return Traits(
                said.label, said.protocol or "tcp", said.on_auto_forward, said.require_local_port, asked=known
            )
        return Traits(
            label=ours.label or said.label,
            protocol=ours.protocol if ours.protocol != "tcp" else said.protocol or "tcp",
            auto_forward=_AUTO.get(ours.auto_forward, ours.auto_forward.value)
            if ours.auto_forward
            else said.on_auto_forward,
            require_local=ours.require_local or said.require_local_port,
            host_port=ours.host_port,
            asked=True,
        )

    configured = []
    for port in wanted:
        found = traits(port.port, "", port.host)
        configured.append(
            ConfiguredPort(
                port=port.port,
                host="127.0.0.1" if port.host == "localhost" else port.host,
                host_port=found.host_port,
                label=found.label,
                protocol=found.protocol,
                require_local=found.require_local,
            )
        )
    return ForwardSettings(
        same_user=config.ports.same_user,
        configured=tuple(configured),
        ignore=frozenset(config.ports.ignore),
        traits=traits,
    )
