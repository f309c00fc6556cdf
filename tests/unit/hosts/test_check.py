"""What a host says of its disk and cards, and versions that are too old."""

from __future__ import annotations

import pytest

from devenv.hosts import check
from devenv.hosts.version import is_too_old


def test_disk_and_cards() -> None:
    disk, cards = check.answers(
        "free=104857600\ngpu=NVIDIA H100 80GB HBM3, 81559 MiB\ngpu=NVIDIA H100 80GB HBM3, 81559 MiB\n"
    )
    assert (disk.ok, disk.said) == (True, "107 GB free")
    assert cards.said.count("H100") == 2


def test_a_full_disk_is_a_problem_and_no_card_is_none() -> None:
    disk, cards = check.answers("free=1024\n")
    assert not disk.ok
    assert "prune" in disk.hint
    assert cards.ok


def test_what_is_out_of_shape_is_left_out() -> None:
    (cards,) = check.answers("free=-1\nfree=1e9\nfree=\ngpu=\x1b[2J\x07\nrest\n")
    assert "\x1b" not in cards.said


@pytest.mark.parametrize(
    ("version", "old"), [("1.40", True), ("1.9", True), ("1.41", False), ("1.55", False), ("2.0", False), ("", False)]
)
def test_the_oldest_engine_that_is_taken(version: str, old: bool) -> None:
    assert is_too_old(version) is old
