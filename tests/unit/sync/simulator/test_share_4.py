"""One share of the schedules."""

from __future__ import annotations

import pytest

from tests.unit.sync.simulator.shares import blocks, name, nothing_is_lost


@pytest.mark.parametrize("seeds", blocks(3), ids=name)
def test_nothing_is_lost(seeds: range) -> None:
    nothing_is_lost(seeds)
