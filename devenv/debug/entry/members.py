"""Which processes of such a run have a debugger, from the lines that they write. Pure.

The lines come out of the container, so only numbers are taken from them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

MOST_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """`rank` None is the program itself. `count`: how many ranks this machine has, 0 when nobody said. `why` it has no
    debugger although it should."""

    rank: int | None
    pid: int
    debugged: bool
    count: int = 0
    why: str = ""

    @property
    def title(self) -> str:
        return "" if self.rank is None else f"rank {self.rank}"

    def endpoints(self, base: str) -> str:
        return base if self.rank is None else f"{base}.rank-{self.rank}"


def file_of(base: str) -> str:
    return f"{base}.members"


def parse(data: bytes) -> list[Member]:
    """Of each rank its newest process, in the order of the ranks. A line that is no line of ours is passed over."""
    found: dict[int | None, Member] = {}
    for line in data.split(b"\n"):
        try:
            said = json.loads(line)
            member = _member(said)
        except (ValueError, KeyError, TypeError):
            continue
        if member is not None:
            found[member.rank] = member
    return sorted(found.values(), key=lambda member: -1 if member.rank is None else member.rank)


def _member(said: Mapping[str, Any]) -> Member | None:
    rank, pid, count = said["rank"], said["pid"], said["count"]
    numbers = [pid, count, *([] if rank is None else [rank])]
    if not all(
        isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 1 << 31 for number in numbers
    ):
        return None
    return Member(rank, pid, said["debugged"] is True, count, str(said["why"])[:200])


def complete(members: list[Member], wanted: tuple[int, ...] | None) -> bool:
    """Whether no more are to be expected on this machine."""
    ranks = {member.rank for member in members if member.rank is not None}
    count = max((member.count for member in members), default=0)
    if count and len(ranks) >= count:
        return True
    return wanted is not None and ranks >= set(wanted)
