"""What is wrong in a configuration: a record, collected with the others and shown together."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Severity(enum.StrEnum):
    ERROR = "error"  # the configuration must not be used
    WARNING = "warning"  # it can be used; the user should know


class Problem(NamedTuple):
    """The first six fields are what every front end shows; the last decides whether to go on."""

    file: str
    line: int  # 1-based; 0 when unknown
    column: int  # 1-based; 0 when unknown
    key: str  # dotted key, "" for the whole file
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        key = f" {self.key}:" if self.key else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}:{key} {self.message}{hint}"
