"""What is known of an environment's runs, also while its container is stopped.

The agent's records are the truth while a link is there. Between links the newest known ones are kept on disk, so that
`devenv runs` can say what was lost with a stopped container.
"""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from devenv.api.views import RunState
from devenv.atomic_file import write_atomic

_LIVE = (RunState.STARTING, RunState.RUNNING)
_KEPT = 500  # ended runs remembered


class RunBook:
    """Records by id. Reading never blocks on the container."""

    def __init__(self, file: pathlib.Path, on_change: Callable[[], None]) -> None:
        self._file = file
        self._on_change = on_change
        self._records: dict[str, dict[str, Any]] = {}
        self._frozen = False
        try:
            loaded = json.loads(file.read_text(encoding="utf-8"))
            self._records = {record["id"]: record for record in loaded if isinstance(record, dict) and "id" in record}
        except (OSError, ValueError):
            pass

    def all(self) -> list[dict[str, Any]]:
        """Newest first."""
        return sorted(self._records.values(), key=lambda record: (record["started"], record["id"]), reverse=True)

    def live(self) -> list[dict[str, Any]]:
        return [record for record in self.all() if record["state"] in _LIVE]

    def get(self, run: str) -> dict[str, Any] | None:
        return self._records.get(run)

    def update(self, record: Mapping[str, Any]) -> None:
        """The agent's newest word on one run. What the host knows of a loss is more than the agent can see."""
        known = self._records.get(record["id"])
        new = dict(record)
        if known is not None and known["state"] == "lost" and new["state"] == "lost":
            new["reason"] = known["reason"] or new.get("reason", "")
            new["ended"] = known["ended"]
        self._records[new["id"]] = new
        if known is None or known["state"] != new["state"]:
            self._save()
        self._on_change()

    def forget(self, run: str) -> None:
        if self._records.pop(run, None) is not None:
            self._save()
            self._on_change()

    def clear(self) -> None:
        """The environment's volumes are gone, and so is the file."""
        self._records.clear()
        if not self._frozen:
            self._file.unlink(missing_ok=True)
        self._on_change()

    def container_ended(self, at: float) -> None:
        """Live runs ended with their container: they are lost, never running."""
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        for record in self.live():
            record.update(state="lost", ended=at, reason=f"container stopped at {clock}")
        self._save()
        self._on_change()

    def freeze(self) -> None:
        """Another process writes the file from now on."""
        self._frozen = True

    def _save(self) -> None:
        if not self._frozen and self._file.parent.is_dir():
            write_atomic(self._file, json.dumps(self.all()[:_KEPT]))
