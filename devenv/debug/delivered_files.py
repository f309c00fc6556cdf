"""The files of a delivered tree, by name."""

from __future__ import annotations

import pathlib


def source_files(tree: pathlib.Path) -> list[str]:
    """Python sources below `tree`, relative, sorted. Names with a line break are left out. Blocks."""
    return sorted(
        path.relative_to(tree).as_posix() for path in tree.rglob("*.py") if path.is_file() and "\n" not in str(path)
    )
