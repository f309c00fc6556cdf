"""Which listening ports are forwarded by themselves, and for how long. Pure: listings and times in, decisions out.

A port counts when it has been listening for a second and is either outside the range that the kernel gives to
clients (kernels, workers and tests open those by the hundred) or belongs to a server that is known. A mapping is kept
for half a minute after its listener has gone: reloaders come back.
"""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

SETTLE = 1.0  # seconds of listening
KEEP = 30.0  # seconds after the listener has gone
MOST_NEW = 20  # forwards a minute
_MINUTE = 60.0
EPHEMERAL = (32768, 60999)  # the kernel's default ip_local_port_range

_DOCKER_DNS = "127.0.0.11"  # the engine's resolver on user-defined networks
# fmt: off
# Programs and modules whose purpose is to be talked to. Their workers have other names and do not count.
_SERVERS = frozenset(
    (
        "jupyter", "jupyter-lab", "jupyter-notebook", "jupyter-server", "jupyterlab", "notebook", "jupyterhub",
        "tensorboard", "uvicorn", "gunicorn", "hypercorn", "daphne", "flask", "streamlit", "gradio",
        "mlflow", "wandb", "dask-scheduler", "bokeh", "panel", "voila", "http.server", "vite", "webpack", "next",
        "nuxt", "ng", "serve", "http-server", "live-server", "php", "rails", "puma", "caddy", "nginx", "redis-server",
        "postgres", "mysqld", "mongod", "vllm", "tritonserver", "torchserve", "text-generation-launcher",
        "ollama",
    )
)
# fmt: on
# Our own parts, and servers of editors that keep their own way to them.
# A program under the debugger has our debugpy's path in its command line and is the user's all the same.
_OWN = re.compile(r"devenv_agent|(?:/run/devenv|/var/lib/devenv|/tmp/devenv-\d+|/dev/shm/devenv-\d+)/\S*/adapter\b")
_EDITORS = re.compile(r"/\.(?:vscode|cursor|windsurf|vscodium|vscode-remote|vscode-insiders)[\w-]*/|/vscode-server/")
_MODULE_OR_NAME = 5  # words of a command line among which a program or a module's name stands


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """One listening socket, as the agent reports it."""

    port: int
    family: int  # 4 | 6
    address: str
    uid: int
    pid: int | None = None
    command: tuple[str, ...] = ()

    @property
    def command_line(self) -> str:
        return " ".join(self.command)

    @property
    def loopback(self) -> bool:
        return self.address.startswith("127.") or self.address == "::1"


def parse_listing(listing: object) -> list[Heard]:
    """The `listeners` of a reply or an event. What is not as the protocol says is left out: the far side is not
    trusted, and a later version may say more."""
    found = []
    for row in listing if isinstance(listing, list) else []:
        if not isinstance(row, Mapping):
            continue
        port, family, address = row.get("port"), row.get("family"), row.get("address")
        if not isinstance(port, int) or not 0 < port < 65536 or family not in (4, 6) or not isinstance(address, str):
            continue
        command = row.get("cmdline")
        pid = row.get("pid")
        found.append(
            Heard(
                port,
                family,
                address,
                _number(row.get("uid")),
                pid if isinstance(pid, int) else None,
                tuple(str(word) for word in command) if isinstance(command, list) else (),
            )
        )
    return found


def by_port(heard: Iterable[Heard]) -> dict[int, list[Heard]]:
    """Those that can be connected to from the container's own network, with the engine's resolver left out."""
    found: dict[int, list[Heard]] = {}
    for one in heard:
        if one.address != _DOCKER_DNS:
            found.setdefault(one.port, []).append(one)
    return found


def dial_address(heard: Sequence[Heard]) -> str:
    """Where to connect to so that one of these listeners answers."""
    addresses = [one.address.removeprefix("::ffff:") for one in heard]
    if "0.0.0.0" in addresses or "127.0.0.1" in addresses:
        return "127.0.0.1"
    if "::1" in addresses:
        return "::1"
    if not addresses or "::" in addresses:
        return "localhost"  # both families are tried
    return addresses[0]


def is_known_server(command: Sequence[str]) -> bool:
    for word in command[:_MODULE_OR_NAME]:
        name = word.rpartition("/")[2].removesuffix(".py").removesuffix(".js").lower()
        if name in _SERVERS:
            return True
    return False


def is_own(command_line: str) -> bool:
    return bool(_OWN.search(command_line) or _EDITORS.search(command_line))


@dataclasses.dataclass(slots=True)
class _Seen:
    since: float
    heard: list[Heard]
    gone_since: float | None = None
    decided: str = ""  # "" not yet | forward | crowded | never


@dataclasses.dataclass(frozen=True, slots=True)
class Decisions:
    forward: tuple[int, ...] = ()
    crowded: tuple[int, ...] = ()  # more than MOST_NEW in a minute: shown, not forwarded
    drop: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.forward or self.crowded or self.drop)


class Detection:
    """`wants(port, command line)` answers for what is configured or attributed: False leaves the port alone."""

    def __init__(self, wants: Callable[[int, str], bool], ephemeral: tuple[int, int] = EPHEMERAL) -> None:
        self.ephemeral = ephemeral
        self._wants = wants
        self._seen: dict[int, _Seen] = {}
        self._recent: deque[float] = deque()

    def see(self, heard: Mapping[int, list[Heard]], now: float) -> None:
        """A whole listing."""
        for port, listeners in heard.items():
            seen = self._seen.get(port)
            if seen is None:
                self._seen[port] = _Seen(now, listeners)
                continue
            if seen.gone_since is not None and not seen.decided:
                seen.since = now
            seen.gone_since = None
            seen.heard = listeners
        for port, seen in list(self._seen.items()):
            if port in heard:
                continue
            if seen.decided != "forward":
                del self._seen[port]
            elif seen.gone_since is None:
                seen.gone_since = now

    def suspend(self) -> None:
        """The link is lost: nothing is known, so nothing has gone."""
        for port, seen in list(self._seen.items()):
            if seen.decided == "forward":
                seen.gone_since = None
            else:
                del self._seen[port]

    def decide(self, now: float) -> Decisions:
        forward, crowded, drop = [], [], []
        for port, seen in sorted(self._seen.items()):
            if seen.gone_since is not None:
                if now - seen.gone_since >= KEEP:
                    drop.append(port)
                    del self._seen[port]
                continue
            if seen.decided or now - seen.since < SETTLE:
                continue
            seen.decided = self._judge(port, seen.heard, now)
            if seen.decided == "forward":
                forward.append(port)
            elif seen.decided == "crowded":
                crowded.append(port)
        return Decisions(tuple(forward), tuple(crowded), tuple(drop))

    def next_due(self, now: float) -> float | None:
        """Seconds until `decide` may have something new, None for never."""
        times = [
            seen.gone_since + KEEP if seen.gone_since is not None else seen.since + SETTLE
            for seen in self._seen.values()
            if seen.gone_since is not None or not seen.decided
        ]
        return max(0.0, min(times) - now) if times else None

    def forget(self, port: int) -> None:
        """The port is somebody else's business now (exposed by name)."""
        self._seen.pop(port, None)

    def _judge(self, port: int, heard: Sequence[Heard], now: float) -> str:
        command = next((one.command for one in heard if one.command), ())
        line = " ".join(command)
        if is_own(line) or not self._wants(port, line):
            return "never"
        low, high = self.ephemeral
        if low <= port <= high and not is_known_server(command):
            return "never"
        while self._recent and now - self._recent[0] >= _MINUTE:
            self._recent.popleft()
        if len(self._recent) >= MOST_NEW:
            return "crowded"
        self._recent.append(now)
        return "forward"


def _number(value: Any) -> int:
    return value if isinstance(value, int) else -1
