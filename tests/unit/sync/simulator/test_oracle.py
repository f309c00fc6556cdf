"""What the oracle once complained of and should not have: each of these is as a person wants it."""

from __future__ import annotations

from tests.unit.sync.simulator.people import Action
from tests.unit.sync.simulator.runner import run
from tests.unit.sync.simulator.schedule import Item, Schedule
from tests.unit.sync.simulator.world import World


def test_after_a_reset_a_difference_is_a_conflict_whoever_wrote() -> None:
    """All is gone on the host, so that a person is asked, and resets; meanwhile one file came again."""
    items = (
        Item(Action("checkout", "host", to="d/a b", text=b"0001")),
        Item(Action("cycle", to="none")),
        Item(Action("delete", "host", "d")),
        Item(Action("delete", "host", "b")),
        Item(Action("cycle", to="exact")),
        Item(Action("save", "host", "d/a", text=b"0002")),
        Item(Action("cycle", to="exact")),
    )
    world = World(Schedule(0, items, alone="host"))
    world.run()
    assert "  forget" in world.story
    assert world.story[-1] == "  cycle: d/a: both sides changed it"


def test_a_second_name_of_what_a_person_removed_may_go() -> None:
    """Without exchanging, a file that came has two names for a moment; the process ends, and the person removes it."""
    for count in range(1, 4):
        items = (
            Item(Action("save", "host", "c", text=b"0001")),
            Item(Action("kill"), "unlink", count),
            Item(Action("cycle", to="lost")),
            Item(Action("delete", "container", "c")),
        )
        assert run(Schedule(0, items, exchanges=False)) is None
