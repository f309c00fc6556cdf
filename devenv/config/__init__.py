"""devenv.yaml: what no standard has a place for (run configurations, services, ports, tests, debugging).

`load(folder)` gives the configuration or raises ConfigError with every problem at once. A project without the file
has the defaults. Nothing here starts anything or looks into a container.
"""

from devenv.config.load import FILE_NAME, Loaded, customization_problems, layered, load, read
from devenv.config.model import (
    ContainerConfig,
    DebugConfig,
    DevenvConfig,
    DotfilesConfig,
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
    "ContainerConfig",
    "DebugConfig",
    "DevenvConfig",
    "DotfilesConfig",
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
    "customization_problems",
    "layered",
    "load",
    "read",
]
