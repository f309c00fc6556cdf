"""What a person is to choose from: the value that a list with a cursor shows. No screen in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tui.model.spans import Lines, Row


@dataclass(frozen=True)
class Choices:
    """`does` is what Enter does, `leaves` what Escape does. `about(key, cells)`: more on the row under the cursor,
    which stands on `first` when it is one of them."""

    title: str
    rows: tuple[Row, ...]
    about: Callable[[str, int], Lines]
    does: str
    leaves: str
    first: str = ""
