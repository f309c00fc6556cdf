"""The page that shows figures: one section for each group of benchmarks, with the conditions of its own last run.

What was not measured this time stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

MARK = "<!-- below: written by `python -m tests.benchmarks --write` -->\n"
_HEAD = "### "


def with_sections(text: str, found: dict[str, str], order: Sequence[str]) -> str:
    """`text` with the sections of these groups replaced or added, in this order; groups that are not in `order` come
    last. Everything ahead of the mark is kept byte by byte."""
    head, _, rest = text.partition(MARK)
    sections = {**_sections(rest), **found}
    names = [name for name in order if name in sections] + [name for name in sections if name not in order]
    return f"{head}{MARK}" + "".join(f"\n{_HEAD}{name}\n\n{sections[name].strip()}\n" for name in names)


def _sections(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        if line.startswith(_HEAD):
            name = line.removeprefix(_HEAD).strip()
            found[name] = ""
        elif name:
            found[name] += line
    return found
