"""`ports.json`: which host port each forward had, so that it has the same one tomorrow. No secret stands in it."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import secrets


class PortStore:
    """Written at each change, atomically. A file that cannot be read is as good as none."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._frozen = False
        self._ports: dict[str, int] = {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            ports = content.get("ports", {}) if isinstance(content, dict) else {}
            self._ports = {
                str(key): value for key, value in ports.items() if isinstance(value, int) and 0 < value < 65536
            }
        except (OSError, ValueError, AttributeError):
            pass

    def get(self, key: str) -> int | None:
        return self._ports.get(key)

    def forget(self) -> None:
        """As if nothing had ever been forwarded."""
        self._ports.clear()
        if not self._frozen:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Another process writes the file from now on."""
        self._frozen = True

    def put(self, key: str, host_port: int) -> None:
        if self._ports.get(key) == host_port:
            return
        self._ports[key] = host_port
        if self._frozen:
            return
        text = json.dumps({"version": 1, "ports": dict(sorted(self._ports.items()))}, indent=1) + "\n"
        fresh = self._path.with_name(f".{self._path.name}-{secrets.token_hex(4)}")
        try:
            fresh.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            fresh.replace(self._path)
        except OSError:
            # A full disk costs the memory of this choice, not the forward.
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
