"""What carries frames: bytes in order, both ways, and (direct tier only) descriptors beside them.

A transport knows nothing of channels or requests. It never raises into its user after `start`: its end is told once
through `on_lost`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

HIGH_WATER = 1 << 20  # bytes queued towards the far side above which senders of bulk data wait


class Transport(Protocol):
    received: int  # bytes so far
    sent: int

    def start(self, on_bytes: Callable[[bytes | memoryview], None], on_lost: Callable[[str], None]) -> None:
        """Begins to read. A view given to `on_bytes` is valid during the call only."""

    def write(self, *parts: bytes | memoryview, urgent: bool = False) -> None:
        """Queues; never blocks. The parts of one call are whole frames. Urgent ones overtake bulk data."""

    async def drain(self) -> None:
        """Returns when less than HIGH_WATER bytes are queued, or the transport is lost."""

    @property
    def congested(self) -> bool:
        """Whether HIGH_WATER bytes or more are queued."""

    def take_descriptor(self) -> int | None:
        """The oldest received descriptor that nobody took. The caller owns it."""

    @property
    def descriptors(self) -> int:
        """How many received descriptors wait to be taken."""

    def abort(self) -> None:
        """Stops at once and closes every descriptor that was not taken; `close` still has to follow."""

    async def close(self) -> None: ...
