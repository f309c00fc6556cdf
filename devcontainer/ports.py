"""Ports that a configuration names: which are always forwarded, which are published, and what is said about each.

The attributes of a port are found in this order: its own key (`3000`, `"db:5432"`), a range that holds it
(`"40000-55000"`), a regular expression that matches the command line of the process behind it, and last
`otherPortsAttributes` (spec, *Port attributes*).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from devcontainer.jsonc import JsonValue

MAX_PORT = 65535
ON_AUTO_FORWARD = ("notify", "openBrowser", "openBrowserOnce", "openPreview", "silent", "ignore")
PROTOCOLS = ("http", "https")

_HOST_PORT = re.compile(r"([^:/\s]+):([0-9]+)\Z", re.ASCII)
_RANGE = re.compile(r"([0-9]+)\s*-\s*([0-9]+)\Z", re.ASCII)
_PUBLISHED = re.compile(
    r"(?:(?:(?:\[[0-9a-fA-F:]+\]|[^:\[\]]*):)?(?:[0-9]+(?:-[0-9]+)?)?:)?([0-9]+)(?:-([0-9]+))?(?:/(?:tcp|udp|sctp))?\Z",
    re.ASCII | re.IGNORECASE,
)
_LOCALHOST = re.compile(r"localhost:[0-9]+", re.ASCII)


class PortError(ValueError):
    """Not a port: the message says what is wrong with it."""


class ForwardPort(NamedTuple):
    """A port to forward. `host` is "localhost" for the container itself, else another service of a Compose project."""

    host: str
    port: int

    def __str__(self) -> str:
        return str(self.port) if self.host == "localhost" else f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True)
class PortAttributes:
    label: str = ""
    protocol: str | None = None
    on_auto_forward: str = "notify"
    require_local_port: bool = False
    elevate_if_needed: bool = False
    declared: bool = dataclasses.field(default=False, compare=False)  # an entry says so, be it the default


def parse(value: JsonValue) -> ForwardPort:
    """An entry of `forwardPorts`: a number from 0 to 65535 or `"host:port"`. Raises PortError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return ForwardPort("localhost", _checked(value))
    if isinstance(value, str):
        match = _HOST_PORT.match(value)
        if match:
            return ForwardPort(match[1], _checked(int(match[2])))
        if value.isascii() and value.isdigit():
            return ForwardPort("localhost", _checked(int(value)))
        raise PortError(f'{value!r} is not a port; a number or "host:port" is needed')
    raise PortError('must be a port: a number or "host:port"')


def parse_all(values: Sequence[JsonValue]) -> tuple[ForwardPort, ...]:
    """Those of the values that are ports, each once."""
    found: dict[ForwardPort, None] = {}
    for value in values:
        try:
            found[parse(value)] = None
        except PortError:
            continue
    return tuple(found)


def merge(lists: Sequence[Sequence[JsonValue]]) -> list[JsonValue]:
    """The union in order of first mention, `n` and `"localhost:n"` being one (spec, *Merge logic*)."""
    found: dict[str, JsonValue] = {}
    for values in lists:
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | str):
                continue
            key = f"localhost:{value}" if isinstance(value, int) else value
            local = _LOCALHOST.search(key)
            found.setdefault(key, int(key[len("localhost:") :]) if local and local[0] == key else key)
    return list(found.values())


def publish_arguments(app_port: JsonValue) -> list[str]:
    """`appPort` as values of `docker create -p`: a number n is `127.0.0.1:n:n`, a text is passed unchanged."""
    values = app_port if isinstance(app_port, list) else [] if app_port is None else [app_port]
    found: list[str] = []
    for value in values:
        if isinstance(value, bool):
            continue
        if isinstance(value, int):
            found.append(f"127.0.0.1:{value}:{value}")
        elif isinstance(value, str) and value:
            found.append(value)
    return found


def check_published(text: str) -> None:
    """Raises PortError for what no engine takes after `-p`: `[[ip:][host port]:]port[/protocol]`, also ranges."""
    match = _PUBLISHED.match(text)
    if match is None:
        raise PortError(f"{text!r} does not say how to publish a port: [[ip:]host port:]container port[/protocol]")
    for bound in match.groups():
        if bound is not None:
            _checked(int(bound))


def attributes(
    port: ForwardPort,
    command_line: str,
    declared: Mapping[str, JsonValue],
    others: JsonValue = None,
) -> PortAttributes:
    """What is said about a port whose listener has this command line ("" if it is not known)."""
    for key in (str(port), f"{port.host}:{port.port}"):
        if key in declared:
            return _attributes(declared[key])
    if port.host == "localhost":
        for key, value in declared.items():
            match = _RANGE.match(key)
            if match and int(match[1]) <= port.port <= int(match[2]):
                return _attributes(value)
    for key, value in declared.items():
        if command_line and not _is_port_key(key) and _found(key, command_line):
            return _attributes(value)
    return _attributes(others)


def check_key(key: str) -> None:
    """Raises PortError if a key of `portsAttributes` is no port, host and port, range or regular expression."""
    match = _RANGE.match(key)
    if match:
        if not 0 <= int(match[1]) <= int(match[2]) <= MAX_PORT:
            raise PortError(f"{key!r} is not a range of ports")
    elif _is_port_key(key):
        _checked(int(key.rpartition(":")[2]))
    else:
        try:
            re.compile(key)
        except re.error as error:
            raise PortError(f"{key!r} is neither a port nor a regular expression: {error}") from error


def _checked(port: int) -> int:
    if not 0 <= port <= MAX_PORT:
        raise PortError(f"{port} is not a port; the range is 0 to {MAX_PORT}")
    return port


def _is_port_key(key: str) -> bool:
    return bool((key.isascii() and key.isdigit()) or _HOST_PORT.match(key) or _RANGE.match(key))


def _found(expression: str, command_line: str) -> bool:
    try:
        return re.search(expression, command_line) is not None
    except re.error:
        return False


def _attributes(value: JsonValue) -> PortAttributes:
    if not isinstance(value, Mapping):
        return PortAttributes()
    label, protocol, action = value.get("label"), value.get("protocol"), value.get("onAutoForward")
    return PortAttributes(
        label=label if isinstance(label, str) else "",
        protocol=protocol if isinstance(protocol, str) and protocol in PROTOCOLS else None,
        on_auto_forward=action if isinstance(action, str) and action in ON_AUTO_FORWARD else "notify",
        require_local_port=value.get("requireLocalPort") is True,
        elevate_if_needed=value.get("elevateIfNeeded") is True,
        declared=True,
    )
