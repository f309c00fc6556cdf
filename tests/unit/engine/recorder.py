"""A progress that remembers."""

from __future__ import annotations


class Recorder:
    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.lines: list[tuple[str, str, str]] = []
        self.ended: list[tuple[str, bool, str]] = []
        self.updates: list[tuple[str, float | None, str]] = []
        self.notes: list[str] = []

    def step(self, key: str, title: str) -> None:
        self.steps.append((key, title))

    def update(self, key: str, *, fraction: float | None = None, detail: str = "") -> None:
        self.updates.append((key, fraction, detail))

    def line(self, key: str, text: str, stream: str = "stdout") -> None:
        self.lines.append((key, text, stream))

    def done(self, key: str, *, ok: bool = True, detail: str = "") -> None:
        self.ended.append((key, ok, detail))

    def note(self, text: str, *, level: str = "info") -> None:
        self.notes.append(text)
