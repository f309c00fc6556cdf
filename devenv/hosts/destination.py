"""Where `ssh` is to go: the words that people write for a machine, checked before any program sees them."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import urllib.parse

from devenv.errors import UsageError

_WORD = re.compile(r"[^\s\x00-\x1f\x7f\"'`$\\;&|<>()*?!{}]+\Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Destination:
    """`target` is what `ssh` takes: NAME, USER@NAME or ssh://USER@NAME:PORT. `socket`: the engine's, if it is said."""

    target: str
    socket: str = ""

    @property
    def shown(self) -> str:
        shown = self.target if self.target.startswith("ssh://") else f"ssh://{self.target}"
        return shown + self.socket

    @property
    def key(self) -> str:
        """12 hexadecimal digits: names of files that belong to this destination."""
        return hashlib.sha256(self.shown.encode()).hexdigest()[:12]


def parse(text: str) -> Destination:
    """`me@box`, an alias of ~/.ssh/config, or ssh://me@box:22/run/podman/podman.sock. Raises `UsageError`.

    Nothing that a shell or `ssh` itself would read as something else is a destination.
    """
    problem = f"{text!r} is no ssh destination"
    hint = "write USER@HOST, ssh://USER@HOST:PORT, or a name of ~/.ssh/config"
    if not _WORD.match(text) or text.startswith("-"):
        raise UsageError(problem, hint)
    if "://" not in text:
        if "/" in text or "@-" in text or text.startswith("@") or text.endswith("@"):
            raise UsageError(problem, hint)
        return Destination(text)
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{problem}: {error}", hint) from error
    host = parts.hostname or ""
    if parts.scheme != "ssh" or not host or host.startswith("-") or parts.query or parts.fragment:
        raise UsageError(problem, hint)
    if parts.password is not None:
        raise UsageError(f"{host}: no password belongs in an address", "use a key, and ssh-agent")
    if (parts.username or "").startswith("-"):
        raise UsageError(problem, hint)
    name = f"[{host}]" if ":" in host else _written(text, host)
    who = f"{parts.username}@" if parts.username else ""
    target = f"ssh://{who}{name}:{port}" if port else f"{who}{name.strip('[]')}"
    return Destination(target, parts.path.rstrip("/"))


def _written(text: str, host: str) -> str:
    """The name in its own letters: an alias of ~/.ssh/config has a case, and `hostname` has lost it."""
    at = text.lower().find(host, text.rfind("@") + 1 if "@" in text else len("ssh://"))
    return text[at : at + len(host)] if at >= 0 else host
