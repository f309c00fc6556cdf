"""What only Podman's own interface tells and does. It listens beside Docker's, on the same socket."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from typing import Any

from devenv.engine.endpoint import Endpoint
from devenv.engine.exec_stream import EngineHttp

_VERSION = "4.0.0"  # the oldest that later ones still answer


class Libpod:
    """Raises `EngineMissing` when nobody answers; an answer that is none counts as nothing known."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._http = EngineHttp(endpoint, _VERSION)

    async def check_health(self, container: str) -> None:
        """Runs the health check once; its result counts as one that a timer made."""
        await self._http.request("GET", f"/libpod/containers/{_quoted(container)}/healthcheck")

    async def own_ids(self, container: str) -> tuple[int, int]:
        """Who a rootless engine's user is inside: root, unless the container was made with `userns=keep-id`."""
        _, value = await self._http.request("GET", f"/libpod/containers/{_quoted(container)}/json")
        host = value.get("HostConfig") if isinstance(value, dict) else None
        maps: Any = (host.get("IDMappings") if isinstance(host, dict) else None) or {}
        return own_id(maps.get("UidMap") or ()), own_id(maps.get("GidMap") or ())


def own_id(maps: Sequence[str]) -> int:
    """The id inside that id 0 of the engine's namespace has. `maps` are "inside:outside:length"; none is identity.

    >>> own_id(["0:1:1000", "1000:0:1", "1001:1001:64536"])
    1000
    """
    for line in maps:
        inside, outside, length = (int(part) for part in line.split(":"))
        if outside <= 0 < outside + length:
            return inside
    return 0


def _quoted(container: str) -> str:
    return urllib.parse.quote(container, safe="")
