"""Profiles as text: a table of functions or lines, a list, a comparison."""

import time

from devenv.cli.narrate import duration, size
from devenv.cli.tables import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PROJECT = 8  # rows of the second table
_COUNTED = {"cpu": "samples", "memory": "allocations", "gpu": "events", "trace": "calls"}


def amount(value: float, unit: str) -> str:
    if unit == "bytes":
        return size(value)
    if unit == "rate":
        return f"{100 * value:.1f}%"
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def _where(frame: "dict[str, Any]") -> str:
    place = frame["host"] if frame["own"] else frame["short"]
    return f"{place}:{frame['line']}" if frame["line"] and not place.startswith("<") else place


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _cells(row: "dict[str, Any]", lines: bool) -> "tuple[str, str, str, str]":
    frame = row["frame"]
    name = _cut(row["source"] or frame["name"], 60) if lines else _cut(frame["name"], 44)
    mark = "▸ " if frame["own"] else "  "
    return f"{100 * row['own']:5.1f}%", f"{100 * row['total']:5.1f}%", mark + name, _where(frame)


def table_of(result: "dict[str, Any]", lines: bool = False) -> str:
    view = result["profile"]
    total = amount(view["total"], view["unit"])
    what = f"{total} at its peak" if view["kind"] == "memory" else f"{total} of work"
    many = f" in {view['processes']} processes" if view["processes"] > 1 else ""
    head = f"{view['kind']} profile of {view['name']} ({view['id']}): {what}, {view['count']} {_COUNTED[view['kind']]}"
    text = [f"{head}{many}, in {duration(view['seconds'])}"]
    header = ("SELF", "TOTAL", "  LINE" if lines else "  FUNCTION", "WHERE")
    text.append(table(header, [_cells(row, lines) for row in result["rows"]]).rstrip("\n"))
    own = [row for row in result.get("project", []) if row not in result["rows"]][:_PROJECT]
    if own:
        text += [
            "of the project, by all that it causes:",
            table(header, [_cells(row, lines) for row in own]).rstrip("\n"),
        ]
    text += [f"note: {note}" for note in view["notes"]]
    text.append(f"flame graph  {view['page']}")
    text.append(f"speedscope   {view['speedscope']}")
    if view["trace"]:
        text.append(f"trace        {view['trace']}  (ui.perfetto.dev)")
    return "\n".join(text) + "\n"


def listed(found: "list[dict[str, Any]]") -> str:
    rows = [
        (
            view["id"],
            view["kind"],
            view["name"],
            view["run"] or "-",
            time.strftime("%m-%d %H:%M", time.localtime(view["started"])),
            duration(view["seconds"]),
            amount(view["total"], view["unit"]),
            view["page"],
        )
        for view in found
    ]
    header = ("PROFILE", "KIND", "OF", "RUN", "AT", "TIME", "TOTAL", "FLAME GRAPH")
    return table(header, rows) or "nothing was recorded yet; try: devenv profile SCRIPT"


def comparison(result: "dict[str, Any]") -> str:
    unit = result["unit"]
    before, after = result["before"], result["after"]
    old, new = result["total"]
    what = {"rate": "of a processor, per second of the recording"}.get(unit, "in all")
    text = [
        f"before  {before['name']} ({before['id']}): {amount(old, unit)} {what}",
        f"after   {after['name']} ({after['id']}): {amount(new, unit)} {what}",
    ]
    rows = []
    for row in result["rows"]:
        was, now = row["own"]
        sign = "+" if now >= was else "-"
        grown = f"{sign}{amount(abs(now - was), unit)}"
        name = ("▸ " if row["frame"]["own"] else "  ") + _cut(row["frame"]["name"], 44)
        rows.append((grown, amount(was, unit), amount(now, unit), name, _where(row["frame"])))
    text.append(table(("CHANGE", "BEFORE", "AFTER", "  FUNCTION (SELF)", "WHERE"), rows).rstrip("\n"))
    text.append(f"graph of differences  {result['page']}")
    return "\n".join(text) + "\n"
