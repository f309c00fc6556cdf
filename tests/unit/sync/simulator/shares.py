"""How the schedules are spread over the workers of a test run: a file's tests stay on one of them, so that there are
some such files, each with a share of its own."""

from __future__ import annotations

import os

from tests.unit.sync.simulator.runner import first_failure, shortest

SCHEDULES = int(os.environ.get("DEVENV_SCHEDULES", "100000"))
SHARES = 4
BLOCK = 1000  # in one test


def blocks(share: int) -> list[range]:
    """The seeds of this share, test by test."""
    return [range(first, min(SCHEDULES, first + BLOCK)) for first in range(share * BLOCK, SCHEDULES, SHARES * BLOCK)]


def name(seeds: range) -> str:
    return f"from-{seeds.start}"


def nothing_is_lost(seeds: range) -> None:
    failed = first_failure(seeds)
    assert failed is None, f"python -m tests.unit.sync.simulator --seed {failed.schedule.seed}\n{shortest(failed)}"
