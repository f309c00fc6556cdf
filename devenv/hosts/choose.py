"""Which engine a client means, devenv's own names included.

Order: DEVENV_HOST (`--host`, or the host that is remembered for the folder), what Docker's own settings say
(devenv.engine.endpoint), the default of the book of hosts, the default socket. A name is looked for in the book, then
as an address, then as a Docker context; what is none of these is a destination of `ssh`.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping

from devenv.api.paths import machine_id
from devenv.engine import endpoint as engine_endpoint
from devenv.engine.endpoint import Endpoint, config_dir, resolve
from devenv.errors import EngineError, UsageError
from devenv.hosts import book, destination
from devenv.hosts.book import LOCAL, Book, Host
from devenv.hosts.destination import Destination

VARIABLE = "DEVENV_HOST"
_LONGEST = 62  # of the folder: names of `ssh`'s own sockets in it stay below the 107 bytes of an address


def sockets_folder(state: pathlib.Path) -> pathlib.Path:
    """Where the sockets of hosts lie: in the state folder, or nearer to the root where its path is long."""
    folder = state / "hosts"
    if len(os.fsencode(str(folder))) <= _LONGEST:
        return folder
    return pathlib.Path(f"/var/tmp/devenv-{os.getuid()}-{machine_id()}-hosts")


class Chooser:
    """Nothing is connected here. A book that has not changed is not read again."""

    def __init__(self, sockets: pathlib.Path) -> None:
        self.sockets = sockets
        self._books: dict[pathlib.Path, tuple[tuple[int, int], Book]] = {}

    def book(self, env: Mapping[str, str]) -> Book:
        """The client's own. Raises `ConfigError`."""
        path = book.path_for(env)
        if path is None:
            return Book(pathlib.Path("hosts.yaml"))
        try:
            info = path.stat()
        except OSError:
            self._books.pop(path, None)
            return Book(path)
        stamp = (info.st_mtime_ns, info.st_size)
        known = self._books.get(path)
        if known is None or known[0] != stamp:
            known = self._books[path] = (stamp, book.read(path))
        return known[1]

    def endpoint(self, env: Mapping[str, str]) -> Endpoint:
        """Raises `ConfigError`, `UsageError`, `EngineError` (no such context)."""
        if name := env.get(VARIABLE):
            return self.named(name, env)
        found = resolve(env)
        if found.source == "default" and not env.get("DOCKER_CONTEXT"):
            own = self.book(env)
            if own.default:
                return self._of(own.hosts[own.default], env, f"the default of {own.file}")
        return self._carried(found)

    def named(self, name: str, env: Mapping[str, str], source: str = "") -> Endpoint:
        """What a person calls `name`; `local` is the engine of Docker's own settings."""
        if name == LOCAL:
            return self._carried(resolve(env))
        own = self.book(env)
        if name in own.hosts:
            return self._of(own.hosts[name], env, source or f"host {name}")
        if "://" in name:
            if name.startswith("ssh://"):
                return self._ssh(destination.parse(name), name, source or f"host {name}")
            found = engine_endpoint.checked(resolve({**env, "DOCKER_HOST": name}))
            return dataclasses.replace(found, source=source or "--host", name=name)
        folder = config_dir(env)
        if folder is not None and engine_endpoint.has_context(folder, name):
            return dataclasses.replace(self._carried(engine_endpoint.of_context(folder, name)), name=name)
        try:
            to = destination.parse(name)
        except UsageError as error:
            error.hint = own.nearest(name) or error.hint
            raise
        return self._ssh(to, name, source or f"host {name}")

    def of_host(self, host: Host, env: Mapping[str, str]) -> Endpoint:
        return self._of(host, env, f"host {host.name}")

    def _of(self, host: Host, env: Mapping[str, str], source: str) -> Endpoint:
        if host.kind == "ssh":
            return self._ssh(destination.parse(host.address), host.name, source)
        if host.kind == "tcp":
            tls = host.tls
            if tls.startswith("~/") and env.get("HOME"):
                tls = env["HOME"] + tls[1:]
            return Endpoint(host.address, source, tls, bool(tls), name=host.name)
        folder = config_dir(env)
        if folder is None:
            raise EngineError(f"{source} is a Docker context, and the environment names no home", "set HOME")
        found = self._carried(engine_endpoint.of_context(folder, host.address))
        return dataclasses.replace(found, name=host.name)

    def _carried(self, found: Endpoint) -> Endpoint:
        """A socket of this machine for an address of `ssh`; anything else as it is."""
        if not found.url.startswith("ssh://"):
            return found
        return self._ssh(destination.parse(found.url), found.url, found.source)

    def _ssh(self, to: Destination, name: str, source: str) -> Endpoint:
        return Endpoint(f"unix://{self.sockets / to.key / 'engine.sock'}", source, ssh=to.shown, name=name)
