"""When something begins to listen in the container, and who was told. Nothing is printed or opened here.

A server that comes back within half a minute with the same command line has not begun anew: reloaders do that. What
listened before this supervisor looked is no news, except in a container start that no supervisor has looked at yet.
Kept in `openings.json` of the environment's folder: that container start, and the ports whose page was opened once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping

from devenv.api.views import PortView
from devenv.atomic_file import write_atomic
from devenv.forward.detection import KEEP

_TO_OPEN = ("openBrowser", "openBrowserOnce", "openPreview")


@dataclasses.dataclass(slots=True)
class _Server:
    """What listens on a port, or did a moment ago. `since` None: it did before anybody looked."""

    command: str
    since: float | None
    gone: float | None = None  # on the monotonic clock
    told: bool = False
    claimed: bool = False


class Openings:
    """`clock` is monotonic seconds, `now` seconds since the epoch."""

    def __init__(self, path: pathlib.Path, clock: Callable[[], float], now: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._now = now
        self._frozen = False
        self._servers: dict[int, _Server] = {}
        self._start, self._opened = _read(path)
        self._looked = True  # whether what is heard now is compared with what was heard before
        self._known = ""

    def container(self, start: str) -> None:
        """`start` names one start of one container. Another one than before: all that listens there has just begun."""
        if start == self._known:
            return
        self._known = start
        self._servers.clear()
        self._looked = start != self._start
        if not self._looked:
            return
        self._start = start
        self._write()

    def see(self, heard: Mapping[int, str]) -> None:
        """A whole listing: command lines by port."""
        for port, server in list(self._servers.items()):
            if server.gone is not None and self._clock() - server.gone >= KEEP:
                del self._servers[port]
            elif server.gone is None and port not in heard:
                server.gone = self._clock()
        for port, command in heard.items():
            known = self._servers.get(port)
            if known is None or (known.gone is not None and known.command != command):
                known = self._servers[port] = _Server(command, self._now() if self._looked else None)
            known.gone, known.command = None, command
        self._looked = True

    def since(self, port: int) -> float | None:
        server = self._servers.get(port)
        return server.since if server is not None and server.gone is None else None

    def news(self, port: int) -> bool:
        """True once for each server that has begun while somebody looked."""
        server = self._servers.get(port)
        if server is None or server.told or server.since is None or server.gone is not None:
            return False
        server.told = True
        return True

    def claim(self, port: int, since: float, *, once: bool) -> bool:
        """Whether the caller is to open the browser: true for the first one that asks, with `once` for the first one
        ever in this environment."""
        server = self._servers.get(port)
        if server is None or server.since != since or server.claimed or (once and port in self._opened):
            return False
        server.claimed = True
        if port not in self._opened:
            self._opened.add(port)
            self._write()
        return True

    def forget(self) -> None:
        """The environment is gone, and with it what was opened once."""
        self._opened.clear()
        self._start = self._known = ""
        self._servers.clear()
        if not self._frozen:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Another process writes the file from now on."""
        self._frozen = True

    def _write(self) -> None:
        if self._frozen:
            return
        text = json.dumps({"version": 1, "start": self._start, "opened": sorted(self._opened)}) + "\n"
        with contextlib.suppress(OSError):  # a full disk costs this memory, not the forward
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path, text)


def _read(path: pathlib.Path) -> tuple[str, set[int]]:
    """(container start, ports); nothing of a file that cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return str(content["start"]), {int(port) for port in content["opened"]}
    except (OSError, ValueError, TypeError, KeyError):
        return "", set()


def sentence(view: PortView) -> str:
    """What a person is told of a server that has begun to listen, without a secret."""
    name = f"port {view.port} ({view.label})" if view.label else f"port {view.port}"
    if view.host_port is None:
        return f"{name} is not forwarded: {view.note or 'its number is taken'}"
    plain = f"{view.host}:{view.host_port}"
    return f"{name} is at {view.url or (f'http://{plain}/' if view.auto_forward in _TO_OPEN else plain)}"
