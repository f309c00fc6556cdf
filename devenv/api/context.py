"""What a client tells the supervisor about itself. The supervisor never uses its own, stale environment instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class ClientContext:
    """Held in memory for one request; `env` may hold secrets and is never logged or stored."""

    cwd: str
    umask: int
    env: Mapping[str, str] = dataclasses.field(repr=False)
    uid: int
    rows: int | None = None
    columns: int | None = None
    asides: bool = False  # a person reads its stderr: a sentence in between is welcome
