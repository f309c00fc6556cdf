"""The tokens of services: random, kept in one file of mode 0600 on the host, the same after a restart."""

from __future__ import annotations

import json
import os
import pathlib
import secrets

_BYTES = 24


class Tokens:
    def __init__(self, file: pathlib.Path) -> None:
        self._file = file

    def get(self, name: str) -> str:
        """The token of a service, made at the first time. Blocks for a small file."""
        known = self._load()
        if name not in known:
            known[name] = secrets.token_hex(_BYTES)
            self._save(known)
        return known[name]

    def _load(self) -> dict[str, str]:
        try:
            loaded = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(loaded, dict):
            return {}
        return {name: token for name, token in loaded.items() if isinstance(token, str) and token}

    def _save(self, tokens: dict[str, str]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = self._file.with_name(f".{self._file.name}.{secrets.token_hex(4)}")
        descriptor = os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(tokens, file)
        work.rename(self._file)
