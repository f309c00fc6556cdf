"""Adds the layers of a pull up to one bar. Pure: the engine's progress objects in, one fraction out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devenv.engine.port import Progress


class PullProgress:
    def __init__(self, reference: str, progress: Progress) -> None:
        self._key = f"pull:{reference}"
        self._progress = progress
        self._layers: dict[str, tuple[float, float]] = {}  # id: (bytes had, bytes in all)
        self._shown = -1
        progress.step(self._key, f"Pulling {reference}")

    def feed(self, message: Mapping[str, Any]) -> None:
        """Download counts for two thirds of a layer, extraction for the rest."""
        layer, status = message.get("id"), message.get("status", "")
        if not layer:
            return
        detail = message.get("progressDetail") or {}
        total = float(detail.get("total") or 0)
        current = float(detail.get("current") or 0)
        had, whole = self._layers.get(layer, (0.0, 0.0))
        if status == "Already exists":
            self._layers[layer] = (0.0, 0.0)  # nothing to fetch
        elif status == "Pull complete":
            self._layers[layer] = (whole or 1.0, whole or 1.0)
        elif total:
            share = current * 2 / 3 if status == "Downloading" else total * 2 / 3 + current / 3
            self._layers[layer] = (max(had, share), total)
        whole_sum = sum(whole for _, whole in self._layers.values())
        if whole_sum:
            percent = int(100 * sum(had for had, _ in self._layers.values()) / whole_sum)
            if percent > self._shown:  # a layer whose size comes late must not move the bar back
                self._shown = percent
                done = sum(1 for had, whole in self._layers.values() if had >= whole)
                self._progress.update(self._key, fraction=percent / 100, detail=f"{done} of {len(self._layers)} layers")

    def end(self, *, ok: bool, detail: str = "") -> None:
        self._progress.done(self._key, ok=ok, detail=detail)
