"""devenv.yaml: what no standard has a place for (run configurations, services, ports, tests, debugging).

`load(folder)` gives the configuration or raises ConfigError with every problem at once. A project without the file
has the defaults. Nothing here starts anything or looks into a container.
"""

from devenv.config.load import FILE_NAME, Loaded, load, read
from devenv.config.model import (
    DebugConfig,
    DevenvConfig,
    PortConfig,
    PortsConfig,
    RunConfig,
    RunDebugConfig,
    ServiceConfig,
    ServiceKind,
    TestConfig,
)
from devenv.config.sources import Source, Sources

__all__ = [
    "FILE_NAME",
    "DebugConfig",
    "DevenvConfig",
    "Loaded",
    "PortConfig",
    "PortsConfig",
    "RunConfig",
    "RunDebugConfig",
    "ServiceConfig",
    "ServiceKind",
    "Source",
    "Sources",
    "TestConfig",
    "load",
    "read",
]
