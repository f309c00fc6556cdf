"""As many schedules as a minute has room for; `DEVENV_SCHEDULES=100000` for a night. A seed that failed once stays."""

from __future__ import annotations

import os

import pytest

from tests.unit.sync.simulator.mutants import MUTANTS, mutated
from tests.unit.sync.simulator.runner import first_failure, run, shortest
from tests.unit.sync.simulator.schedule import schedule

SCHEDULES = int(os.environ.get("DEVENV_SCHEDULES", "8000"))
BLOCK = 1000  # in one test: workers share the blocks
ENOUGH = 3000  # schedules in which each of the mutants must be found


@pytest.mark.parametrize("block", range(-(-SCHEDULES // BLOCK)))
def test_nothing_is_lost(block: int) -> None:
    failed = first_failure(range(block * BLOCK, min(SCHEDULES, (block + 1) * BLOCK)))
    assert failed is None, f"python -m tests.unit.sync.simulator --seed {failed.schedule.seed}\n{shortest(failed)}"


@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_a_mistake_is_found(mutant: str) -> None:
    with mutated(mutant):
        failed = first_failure(range(ENOUGH))
        assert failed is not None, f"{mutant}: nothing was noticed in {ENOUGH} schedules"
    assert run(failed.schedule) is None


def test_a_seed_says_all_of_it() -> None:
    with mutated("nothing_goes_to_the_trash"):
        failed = first_failure(range(100))
        assert failed is not None
        again = run(schedule(failed.schedule.seed))
        assert again == failed
        short = shortest(failed)
    assert len(short.schedule.items) <= 4
    assert short.why.startswith(("host", "container"))
