"""What a benchmark reports: our median beside the peer's of the same run, and what their ratio should be.

Nothing here passes or fails: a figure that misses its goal says so in the table and is for a person to read.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Goal:
    """A bound on the ratio to the peer (`of` = "ratio") or on our own figure (`of` = "value")."""

    bound: float
    of: str = "ratio"
    most: bool = True

    def met(self, ours: float, peer: float | None) -> bool:
        value = ours if self.of == "value" or peer is None else ours / peer
        return value <= self.bound if self.most else value >= self.bound


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `ours` and `peer` are medians in `unit`; `peer` None: there is nothing to compare, and
    `peer_name` may say why."""

    what: str
    unit: str
    ours: float
    peer_name: str = ""
    peer: float | None = None
    goal: Goal | None = None

    @classmethod
    def of(
        cls,
        what: str,
        unit: str,
        ours: Sequence[float],
        peer_name: str = "",
        peer: Sequence[float] = (),
        goal: Goal | None = None,
        *,
        scale: float = 1.0,
    ) -> Figure:
        """Medians of what was measured, times `scale`."""
        theirs = statistics.median(peer) * scale if peer else None
        return cls(what, unit, statistics.median(ours) * scale, peer_name, theirs, goal)

    def cells(self) -> tuple[str, ...]:
        peer = "" if self.peer is None else f"{_number(self.peer)} {self.unit}"
        ratio = "" if self.peer is None else f"{self.ours / self.peer:.2f}"
        goal = met = ""
        if self.goal is not None:
            sign = "≤" if self.goal.most else "≥"
            goal = f"{sign} {self.goal.bound:g}" + ("" if self.goal.of == "ratio" else f" {self.unit}")
            lacks = self.goal.of == "ratio" and self.peer is None
            met = "?" if lacks else "yes" if self.goal.met(self.ours, self.peer) else "no"
        return (self.what, f"{_number(self.ours)} {self.unit}", self.peer_name, peer, ratio, goal, met)


HEADS = ("figure", "devenv", "peer", "its figure", "ratio", "goal", "met")


def table(figures: Sequence[Figure]) -> str:
    """A Markdown table whose columns also line up in a terminal."""
    rows = [HEADS, *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in padded]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
