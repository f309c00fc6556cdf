"""A repository's commands on the host (initializeCommand) run only when the user has said yes, once per command.

Trust belongs to a folder and the command's exact text: when the text changes, it is asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib

from devenv.environment.records import write_atomic
from devenv.errors import Refused


class TrustFile:
    """`trust.json` in the state folder: {resolved folder: [digests of commands]}."""

    def __init__(self, state: pathlib.Path) -> None:
        self._path = state / "trust.json"

    def require(self, local_folder: str, command: object, text: str, *, given: bool) -> None:
        """Passes when the command is trusted, remembers it when `given`; else raises `Refused` naming the command."""
        folder = os.path.realpath(local_folder)
        digest = hashlib.sha256(json.dumps(command, sort_keys=True).encode()).hexdigest()
        trusted = self._load()
        known = trusted.get(folder, [])
        if digest in known:
            return
        if not given:
            raise Refused(
                f"initializeCommand wants to run on this machine: {text}",
                "read it; then `devenv up --trust` allows it from now on",
                details={"command": text, "folder": local_folder},
            )
        trusted[folder] = [*known, digest]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, json.dumps(trusted, indent=1) + "\n")

    def _load(self) -> dict[str, list[str]]:
        try:
            value = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # unreadable means that nothing is trusted
        return (
            {k: [str(d) for d in v] for k, v in value.items() if isinstance(v, list)} if isinstance(value, dict) else {}
        )
