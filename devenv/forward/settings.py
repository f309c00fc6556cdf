"""What an environment's configuration says about its ports. Values only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, slots=True)
class ConfiguredPort:
    """A port that is always forwarded, whether or not anything listens yet.

    `host` is as seen in the container: itself, or another service of its network. `host_port` None: the same number,
    or a stable other one when that is taken.
    """

    port: int
    host: str = "127.0.0.1"
    host_port: int | None = None
    label: str = ""
    protocol: str = "tcp"  # tcp | http | https
    require_local: bool = False  # the same number or nothing


@dataclasses.dataclass(frozen=True, slots=True)
class Traits:
    """What is said about a port that was found listening (spec, *Port attributes*)."""

    label: str = ""
    protocol: str = "tcp"
    auto_forward: str = "notify"  # notify | openBrowser | openBrowserOnce | openPreview | silent | ignore
    require_local: bool = False
    host_port: int | None = None
    asked: bool = False  # the project names this port, by number, range, command line or `otherPortsAttributes`


def no_traits(port: int, command_line: str) -> Traits:
    return Traits()


@dataclasses.dataclass(frozen=True, slots=True)
class ForwardSettings:
    """`traits(port, command line)` is asked for each port found; `ignore` names ports never forwarded by themselves."""

    same_user: bool = True
    configured: tuple[ConfiguredPort, ...] = ()
    ignore: frozenset[int] = frozenset()
    traits: Callable[[int, str], Traits] = no_traits
    bind: tuple[str, ...] = ("127.0.0.1", "::1")
    detect: bool = True
