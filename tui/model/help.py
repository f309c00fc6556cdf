"""The help screen, made of the action table."""

from __future__ import annotations

from tui.actions import ACTIONS, GROUPS, MOVES
from tui.model.spans import Line, Lines, Span, Tone, fill

KEYS = 14
TWO_COLUMNS = 84


def _blocks() -> list[list[Line]]:
    blocks: list[list[Line]] = []
    for group in GROUPS:
        rows: list[Line] = [(Span(group, Tone.ACCENT),)]
        for action in ACTIONS:
            if action.group == group:
                keys = action.key_text or "Ctrl-P"
                rows.append((Span(f"{keys:<{KEYS}} ", Tone.KEY if action.keys else Tone.DIM), Span(action.text)))
        blocks.append(rows)
    moving: list[Line] = [(Span("Moving", Tone.ACCENT),)]
    moving += [(Span(f"{keys:<{KEYS}} ", Tone.KEY), Span(text)) for keys, text in MOVES]
    return [*blocks, moving]


def help_lines(cells: int) -> Lines:
    """All keys by group; side by side when `cells` has room for two columns."""
    blocks = _blocks()
    if cells < TWO_COLUMNS * 1.5:
        return tuple(line for block in blocks for line in (*block, ()))[:-1]
    total = sum(len(block) + 1 for block in blocks)
    left: list[Line] = []
    right: list[Line] = []
    for block in blocks:
        (left if len(left) + len(block) / 2 <= total / 2 else right).extend((*block, ()))
    half = cells // 2
    count = max(len(left), len(right))
    left += [()] * (count - len(left))
    right += [()] * (count - len(right))
    lines = [(*fill(a, half), *b) for a, b in zip(left, right, strict=True)]
    while lines and not "".join(span.text for span in lines[-1]).strip():
        lines.pop()
    return tuple(lines)
