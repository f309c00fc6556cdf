"""devenv.yaml: what no standard has a place for (run configurations, services, ports, tests, debugging, synchronising).

`load(folder)` gives the configuration or raises ConfigError with every problem at once. A project without the file
has the defaults. Nothing here starts anything or looks into a container.
"""

from devenv.config.load import FILE_NAME, Loaded, customization_problems, layered, load, read
from devenv.config.model import (
    ContainerConfig,
    DebugConfig,
    DevenvConfig,
    DotfilesConfig,
    OutputConfig,
    PortConfig,
    PortsConfig,
    RunConfig,
    RunDebugConfig,
    ServiceConfig,
    ServiceKind,
    SyncConfig,
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
    "OutputConfig",
    "PortConfig",
    "PortsConfig",
    "RunConfig",
    "RunDebugConfig",
    "ServiceConfig",
    "ServiceKind",
    "Source",
    "Sources",
    "SyncConfig",
    "TestConfig",
    "customization_problems",
    "layered",
    "load",
    "read",
]
