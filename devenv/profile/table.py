"""Where the weight lies: by function, and by line. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from devenv.profile.frames import Frame
from devenv.profile.samples import Samples, Stack

Key = tuple[str, str]  # (function, file)


@dataclasses.dataclass(slots=True)
class Row:
    """`own` is what was spent in it, `total` with all that it called, each once however deep it recurses."""

    name: str
    file: str
    line: int  # the line with the most weight
    own: float = 0.0
    total: float = 0.0


def functions(samples: Samples) -> list[Row]:
    """Every function, the one with the most weight of its own first."""
    lines: dict[Key, dict[int, float]] = {}
    rows = _rows(samples, lambda frame: (frame.name, frame.file))
    for stack, weight in samples.weights.items():
        for frame in stack:
            per_line = lines.setdefault((frame.name, frame.file), {})
            per_line[frame.line] = per_line.get(frame.line, 0.0) + weight
    for key, row in rows.items():
        row.line = max(lines[key].items(), key=lambda item: item[1])[0]
    return _sorted(rows)


def by_line(samples: Samples) -> list[Row]:
    """Every line that was seen, the one with the most weight of its own first."""
    return _sorted(_rows(samples, lambda frame: (frame.file, str(frame.line))))


def _rows(samples: Samples, key: Callable[[Frame], Key]) -> dict[Key, Row]:
    rows: dict[Key, Row] = {}
    for stack, weight in samples.weights.items():
        seen = set()
        for frame in stack:
            if not frame.file:
                continue  # a process
            which = key(frame)
            row = rows.setdefault(which, Row(frame.name, frame.file, frame.line))
            if which not in seen:
                seen.add(which)
                row.total += weight
        if stack and stack[-1].file:
            rows[key(stack[-1])].own += weight
    return rows


def _sorted(rows: Mapping[Key, Row]) -> list[Row]:
    return sorted(rows.values(), key=lambda row: (-row.own, -row.total, row.file, row.line, row.name))


def merged(weights: Mapping[Stack, float]) -> dict[Stack, float]:
    """The same by function: lines do not count."""
    made: dict[Stack, float] = {}
    for stack, weight in weights.items():
        plain = tuple(Frame(frame.name, frame.file, 0) for frame in stack)
        made[plain] = made.get(plain, 0.0) + weight
    return made
