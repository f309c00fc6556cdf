"""Everything one client may ask of registries, built from its environment. Nothing is connected until it is asked for.

Blocking; calls may overlap in threads. `interrupt` ends all of them, at once where they read or write, at the latest
after the time limit to connect; each then raises `Interrupted`, and no half-written file is left.
"""

from __future__ import annotations

import functools
import pathlib
import threading
from collections.abc import Callable, Mapping
from types import TracebackType

from devenv.oci import credentials, download
from devenv.oci.address import base_url, is_hub
from devenv.oci.interrupt import Interrupt
from devenv.oci.network import Limits, Network
from devenv.oci.registry import Registry
from devenv.oci.tokens import Authenticator
from devenv.oci.transport import Transport


class Client:
    """`note` gets sentences a person should read (a credential helper failed), each once, from any thread."""

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        note: Callable[[str], None] = lambda text: None,
        limits: Limits | None = None,
        interrupt: Interrupt | None = None,
    ) -> None:
        self.interrupt = interrupt or Interrupt()
        self._env = env
        self._transport = Transport(Network.from_env(env), limits or Limits.from_env(env), self.interrupt)
        self._lock = threading.Lock()
        self._registries: dict[str, Registry] = {}
        self._said: set[str] = set()
        self._tell = note

    def registry(self, name: str) -> Registry:
        """By its host as it stands in a reference ("ghcr.io", "localhost:5000", "docker.io")."""
        with self._lock:
            if name not in self._registries:
                host = "docker.io" if is_hub(name) else name
                lookup = functools.partial(credentials.find, host, self._env, self._note)
                authenticator = Authenticator(host, base_url(host), self._transport, lookup, self._note)
                self._registries[name] = Registry(host, self._transport, authenticator)
            return self._registries[name]

    def download(
        self,
        url: str,
        target: pathlib.Path,
        *,
        headers: Mapping[str, str] | None = None,
        seen: download.Seen | None = None,
    ) -> str:
        """A file from a web address into `target`; its digest. Raises RegistryError."""
        return download.fetch(self._transport, url, target, headers=headers, seen=seen)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _note(self, text: str) -> None:
        with self._lock:
            if text in self._said:
                return
            self._said.add(text)
        self._tell(text)
