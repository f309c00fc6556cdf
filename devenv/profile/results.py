"""Samples as what is kept and shown: a page, a file for speedscope, rows of a table. Pure but for source lines."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Sequence

from devenv.api.profiling import ChangeView, ProfileView, RowView
from devenv.profile import compare, table
from devenv.profile.flame import page
from devenv.profile.frames import Frame, Sources
from devenv.profile.samples import BYTES, Samples

WORDS = {"cpu": "CPU", "memory": "memory", "gpu": "GPU", "trace": "calls"}
_COUNTED = {"cpu": "samples", "memory": "allocations", "gpu": "events", "trace": "calls"}
_LONGEST_SOURCE = 2 << 20  # bytes


def facts(view: ProfileView) -> list[tuple[str, str]]:
    """What a page says of a profile in its head."""
    return [
        ("recorded", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(view.started))),
        ("for", f"{view.seconds:.1f} s" + (", from start to end" if view.whole else "")),
        (_COUNTED[view.kind], f"{view.count:,}"),
        ("processes", str(view.processes)),
        *(("run", view.run) for _ in range(1) if view.run),
    ]


def flame(view: ProfileView, samples: Samples, sources: Sources) -> bytes:
    weights = {stack: (0.0, weight) for stack, weight in samples.weights.items()}
    title = f"{view.name}: {WORDS[view.kind]}" + (" at its peak" if view.kind == "memory" else "")
    return page(title, facts(view), view.unit, weights, sources).encode("utf-8", "replace")


def rows(samples: Samples, sources: Sources, *, lines: bool, top: int, root: str) -> list[RowView]:
    """The first `top` functions or lines by their own weight. `root` is the project's folder on the host."""
    total = samples.total or 1.0
    found = [row for row in table.by_line(samples) if row.own >= total / 2000] if lines else []
    found = found or [row for row in table.functions(samples) if row.own >= total / 2000]
    return [_row(row, total, sources, root, lines) for row in found[:top]]


def project_rows(samples: Samples, sources: Sources, *, lines: bool, top: int, root: str) -> list[RowView]:
    """The project's own functions or lines, by all that they caused: most of it is spent in libraries."""
    total = samples.total or 1.0
    found = table.by_line(samples) if lines else table.functions(samples)
    own = [row for row in found if row.total >= total / 200 and sources.view(Frame(row.name, row.file, row.line)).own]
    own.sort(key=lambda row: (-row.total, -row.own, row.file, row.line))
    return [_row(row, total, sources, root, lines) for row in own[:top]]


def _row(row: table.Row, total: float, sources: Sources, root: str, lines: bool) -> RowView:
    view = sources.view(Frame(row.name, row.file, row.line))
    source = line_of(root, view.host, row.line) if lines and view.own else ""
    return RowView(frame=view, own=row.own / total, total=row.total / total, source=source)


def line_of(root: str, path: str, line: int) -> str:
    """A line of a file of the project; "" for what lies elsewhere, links that lead out included."""
    try:
        real = pathlib.Path(path).resolve(strict=True)
        if not real.is_relative_to(pathlib.Path(root).resolve()) or real.stat().st_size > _LONGEST_SOURCE:
            return ""
        if not real.is_file():
            return ""
        return real.read_text(encoding="utf-8", errors="replace").splitlines()[line - 1].strip()
    except (OSError, IndexError):
        return ""


def comparable(before: ProfileView, after: ProfileView, samples: Sequence[Samples]) -> tuple[str, Samples, Samples]:
    """(unit, before, after) as they are compared."""
    if BYTES in (samples[0].unit, samples[1].unit) or (before.whole and after.whole):
        return samples[0].unit, samples[0], samples[1]
    first = compare.scaled(samples[0], before.seconds, whole=False)
    return "rate", first, compare.scaled(samples[1], after.seconds, whole=False)


def changes(before: Samples, after: Samples, sources: Sources, top: int) -> list[ChangeView]:
    return [
        ChangeView(frame=sources.view(Frame(change.name, change.file, change.line)), own=change.own, total=change.total)
        for change in compare.changes(before, after)[:top]
        if any(change.own)
    ]


def difference(
    before: ProfileView, after: ProfileView, unit: str, samples: tuple[Samples, Samples], sources: Sources
) -> bytes:
    """A page with the graph of differences: red grew, blue shrank, wide was big in either."""
    told = [("before", f"{before.name}, {before.id}"), ("after", f"{after.name}, {after.id}")]
    if unit == "rate":
        told.append(("in", "% of one processor"))
    title = f"{after.name}: {WORDS[after.kind]}, compared"
    text = page(title, told, unit, compare.both(*samples), sources, compared=True)
    return text.encode("utf-8", "replace")
