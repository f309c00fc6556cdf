"""That the simulator sees what it is for: each mistake that somebody could make is found, and a seed says all of it."""

from __future__ import annotations

import pytest

from tests.unit.sync.simulator.mutants import MUTANTS, mutated
from tests.unit.sync.simulator.people import Action
from tests.unit.sync.simulator.runner import Failed, first_failure, run, shortest
from tests.unit.sync.simulator.schedule import Item, Schedule, schedule

RARE = "words_are_given_after_the_look"  # has a test of its own
ENOUGH = 3000  # schedules in which each of the mutants must be found


def replaced_at_any_call() -> Failed | None:
    """Another folder is at the container's path while the two meet for the first time."""
    for count in range(1, 200):
        items = (
            Item(Action("save", "host", "a", text=b"0001")),
            Item(Action("elsewhere", "container"), "", count),
            Item(Action("cycle", to="none")),
        )
        if (failed := run(Schedule(0, items))) is not None:
            return failed
    return None


def test_a_folder_that_comes_under_way_is_not_taken_for_the_first() -> None:
    assert replaced_at_any_call() is None
    with mutated(RARE):
        assert replaced_at_any_call() is not None


def test_of_a_folder_that_comes_under_way_everything_is_looked_at() -> None:
    """Hints tell of the one before: what it had is not there."""
    items = (
        Item(Action("save", "host", "e/a", text=b"0001")),
        Item(Action("cycle", to="exact")),
        Item(Action("save", "container", "b", text=b"0002"), "open", 5),
        Item(Action("cycle", to="exact")),
        Item(Action("cycle", to="none")),
        Item(Action("checkout", "container", to="e/e/a d/b b d/e/a", text=b"0003"), "read", 2),
        Item(Action("elsewhere", "container", to="d/e/a", text=b"0004"), "open", 1),
        Item(Action("cycle", to="exact")),
    )
    assert run(Schedule(0, items)) is None


@pytest.mark.parametrize("to", ["delete", "save"])
def test_what_is_written_to_a_file_that_goes_is_kept_at_any_call(to: str) -> None:
    """By a program that has it open, until it is in the trash."""
    for count in range(1, 100):
        items = (
            Item(Action("save", "host", "e/e/a", text=b"0001")),
            Item(Action("cycle", to="exact")),
            Item(Action(to, "container", "e/e/a", text=b"0002")),
            Item(Action("hold", "host", "e/e/a")),
            Item(Action("late", "host", "e/e/a", text=b"0003 longer"), "", count),
            Item(Action("cycle", to="exact")),
        )
        assert run(Schedule(0, items)) is None, count


@pytest.mark.parametrize("mutant", sorted(MUTANTS.keys() - {RARE}))
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
