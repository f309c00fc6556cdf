"""Two profiles side by side: what grew and what shrank. Pure.

Recordings of a whole program, and of memory, are compared as they are. Samples of a running program are compared for
each second of the recording, because how long somebody looked says nothing about the program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from devenv.errors import UsageError
from devenv.profile.samples import Samples, Stack
from devenv.profile.table import functions, merged


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    name: str
    file: str
    line: int
    own: tuple[float, float]  # before, after
    total: tuple[float, float]

    @property
    def grown(self) -> float:
        return self.own[1] - self.own[0]


def scaled(samples: Samples, seconds: float, *, whole: bool) -> Samples:
    """The weights as they are compared. `seconds`: how long was recorded."""
    if whole or seconds <= 0:
        return samples
    weights = {stack: weight / seconds for stack, weight in samples.weights.items()}
    return dataclasses.replace(samples, weights=weights)


def changes(before: Samples, after: Samples) -> list[Change]:
    """Every function of either one, the biggest change first. Raises UsageError for different units."""
    if before.unit != after.unit:
        raise UsageError(
            f"a profile of {before.unit} cannot be compared with one of {after.unit}",
            "compare two of the same kind: devenv profile --list",
        )
    olds = {(row.name, row.file): row for row in functions(before)}
    news = {(row.name, row.file): row for row in functions(after)}
    made = []
    for key in {**olds, **news}:
        old, new = olds.get(key), news.get(key)
        known = new or old
        assert known is not None
        made.append(
            Change(
                known.name,
                known.file,
                known.line,
                (old.own if old else 0.0, new.own if new else 0.0),
                (old.total if old else 0.0, new.total if new else 0.0),
            )
        )
    return sorted(made, key=lambda change: (-abs(change.grown), -max(change.total), change.file, change.name))


def both(before: Samples, after: Samples) -> dict[Stack, tuple[float, float]]:
    """(before, after) of every stack, for a graph of differences."""
    old, new = (merged(_without_processes(samples.weights)) for samples in (before, after))
    return {stack: (old.get(stack, 0.0), new.get(stack, 0.0)) for stack in {**old, **new}}


def _without_processes(weights: Mapping[Stack, float]) -> dict[Stack, float]:
    """Process ids differ from one time to the next."""
    made: dict[Stack, float] = {}
    for stack, weight in weights.items():
        inner = tuple(frame for frame in stack if frame.file)
        made[inner] = made.get(inner, 0.0) + weight
    return made
