"""Plain tables for people: aligned columns, no lines."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def table(header: "Sequence[str]", rows: "Sequence[Sequence[str]]") -> str:
    """The rows under their header; "" when there are none."""
    if not rows:
        return ""
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]
    lines = [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
    return "\n".join(lines) + "\n"
