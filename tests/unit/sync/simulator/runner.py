"""Many schedules, one after the other, and the shortest story of one that fails."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import traceback
from collections.abc import Callable, Iterable, Iterator

from tests.unit.sync.simulator.disks import Violation
from tests.unit.sync.simulator.installed import simulated
from tests.unit.sync.simulator.schedule import Schedule, schedule
from tests.unit.sync.simulator.world import World

_TOGETHER = 1000  # schedules after which what they left is collected


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    schedule: Schedule
    why: str
    story: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.why}\n{self.schedule}\nwhat happened:\n" + "\n".join(self.story)


def run(one: Schedule) -> Failed | None:
    world = World(one)
    try:
        world.run()
    except Violation as error:
        return Failed(one, str(error), tuple(world.story))
    except Exception as error:  # the engine's own mistakes are findings as well
        return Failed(one, "".join(traceback.format_exception(error)), tuple(world.story))
    finally:
        world.dissolve()
    return None


def shortest(failed: Failed, again: Callable[[Schedule], Failed | None] = run) -> Failed:
    """Without all that the failure can do without."""
    with simulated():
        smaller = True
        while smaller:
            smaller = False
            for at in reversed(range(len(failed.schedule.items))):
                found = again(failed.schedule.without(at))
                if found is not None:
                    failed, smaller = found, True
        return failed


@contextlib.contextmanager
def _collected_by_hand() -> Iterator[None]:
    """Nearly nothing is left to it by a schedule that is over, and one that is under way it need not look through."""
    if not gc.isenabled():
        yield
        return
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def first_failure(seeds: Iterable[int]) -> Failed | None:
    with simulated(), _collected_by_hand():
        for count, seed in enumerate(seeds):
            if (failed := run(schedule(seed))) is not None:
                return failed
            if count % _TOGETHER == _TOGETHER - 1:
                gc.collect()
        return None
