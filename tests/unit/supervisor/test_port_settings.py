"""What devcontainer.json and devenv.yaml say about ports, as the forwarder takes it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devcontainer.merge import merge
from devenv.config import DevenvConfig
from devenv.forward.settings import ConfiguredPort, Traits
from devenv.supervisor.port_settings import port_settings

ENTRY: dict[str, Any] = {
    "forwardPorts": [3000, "db:5432"],
    "portsAttributes": {
        "3000": {"label": "Web", "onAutoForward": "openBrowserOnce", "protocol": "https", "requireLocalPort": True},
        "5000-5010": {"onAutoForward": "notify"},
        "uvicorn": {"label": "API", "onAutoForward": "openBrowser"},
        "db:5432": {"label": "Database"},
        "9000": {"onAutoForward": "openPreview"},
    },
}


def settings(others: dict[str, Any] | None = None, **ports: Any) -> Any:
    entry = {**ENTRY, **({"otherPortsAttributes": others} if others is not None else {})}
    config = msgspec.convert({"ports": {"configured": {}, **ports}}, DevenvConfig, strict=False)
    return port_settings(merge([entry]), config)


@pytest.mark.parametrize(
    ("port", "command", "traits"),
    [
        pytest.param(3000, "", Traits("Web", "https", "openBrowserOnce", True, asked=True), id="every attribute"),
        pytest.param(5005, "", Traits("", "tcp", "notify", asked=True), id="a range that writes the default"),
        pytest.param(1234, "uvicorn app:app", Traits("API", "tcp", "openBrowser", asked=True), id="a command line"),
        pytest.param(1234, "python app.py", Traits(), id="nothing is said"),
        pytest.param(9000, "", Traits("", "tcp", "openPreview", asked=True), id="a preview"),
    ],
)
def test_traits(port: int, command: str, traits: Traits) -> None:
    assert settings().traits(port, command) == traits


def test_other_ports() -> None:
    assert settings({"onAutoForward": "silent"}).traits(1234, "") == Traits(auto_forward="silent", asked=True)
    assert settings({"onAutoForward": "silent"}).traits(3000, "").auto_forward == "openBrowserOnce"


def test_devenv_yaml_goes_first() -> None:
    ours = {3000: {"label": "Ours", "auto-forward": "open-browser"}, 7000: {"auto-forward": "ignore"}}
    found = settings(configured=ours)
    assert found.traits(3000, "") == Traits("Ours", "https", "openBrowser", True, asked=True)
    assert found.traits(7000, "").auto_forward == "ignore"
    only_label = settings(configured={9000: {"label": "Ours"}}).traits(9000, "")
    assert (only_label.label, only_label.auto_forward) == ("Ours", "openPreview"), "what is not said stays"


def test_configured_ports() -> None:
    assert settings().configured == (
        ConfiguredPort(3000, label="Web", protocol="https", require_local=True),
        ConfiguredPort(5432, host="db", label="Database"),
    )
