"""Texts that nobody may read in what is told or logged: replaced before a line leaves the place where it was read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from devenv.engine.port import Progress

MASK = "********"
_SHORTEST = 3  # characters: shorter values would mask half of every line


class Mask:
    """Replaces secret values in lines of output. A value of several lines is masked line by line."""

    def __init__(self, values: Iterable[str]) -> None:
        parts = {line for value in values for line in value.splitlines() if len(line) >= _SHORTEST}
        longest_first = sorted(parts, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(part) for part in longest_first)) if parts else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern is not None else text


NO_MASK = Mask(())


class MaskedProgress:
    """A `Progress` that tells another one, masked."""

    def __init__(self, progress: Progress, mask: Mask) -> None:
        self._progress = progress
        self._mask = mask

    def step(self, key: str, title: str) -> None:
        self._progress.step(key, self._mask(title))

    def update(self, key: str, *, fraction: float | None = None, detail: str = "") -> None:
        self._progress.update(key, fraction=fraction, detail=self._mask(detail))

    def line(self, key: str, text: str, stream: str = "stdout") -> None:
        self._progress.line(key, self._mask(text), stream)

    def done(self, key: str, *, ok: bool = True, detail: str = "") -> None:
        self._progress.done(key, ok=ok, detail=self._mask(detail))

    def note(self, text: str, *, level: str = "info") -> None:
        self._progress.note(self._mask(text), level=level)
