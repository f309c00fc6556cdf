"""What `nvidia-smi` prints, good and bad. The texts are written after the real program's; no card was asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.gpu import nvidia_smi
from devenv.gpu.cards import Card, Slice
from tests.unit.gpu import machine

MIB = 1024**2


def test_two_cards() -> None:
    found = machine.smi()
    assert found.cards == (
        Card(0, machine.UUIDS[0], "NVIDIA L4", 23034 * MIB),
        Card(1, machine.UUIDS[1], "NVIDIA L4", 23034 * MIB),
    )
    assert found.working == found.cards and not found.failure and not found.troubles


def test_slices_come_from_the_list() -> None:
    found = machine.smi(machine.MIG, machine.MIG_LISTED)
    assert found.cards[0].slices == (
        Slice(0, "MIG-33333333-aaaa-bbbb-cccc-000000000000", "3g.20gb"),
        Slice(1, "MIG-22222222-aaaa-bbbb-cccc-000000000000", "2g.10gb"),
    )
    assert found.cards[1].slices == ()
    assert [part.memory for part in found.cards[0].slices] == [20 * 1024 * MIB, 10 * 1024 * MIB]


@pytest.mark.parametrize(
    ("profile", "memory"),
    [("1g.5gb", 5), ("1c.3g.20gb", 20), ("1g.10gb+me", 10), ("7g.80gb", 80), ("new", None)],
)
def test_memory_of_a_slice(profile: str, memory: int | None) -> None:
    assert Slice(0, "MIG-x", profile).memory == (None if memory is None else memory * 1024 * MIB)


def test_a_lost_card_is_known_by_its_missing_figures() -> None:
    found = machine.smi(machine.LOST, machine.LOST_LISTED)
    assert [card.lost for card in found.cards] == ["", "Unknown Error"]
    assert [card.index for card in found.working] == [0]
    assert found.troubles == ("Unable to determine the device handle for gpu 0000:01:00.0: Unknown Error",)


@pytest.mark.parametrize(
    ("table", "listing", "code", "cards", "failure"),
    [
        (machine.MISMATCH, machine.MISMATCH, 18, 0, f"exit code 18: {machine.MISMATCH}"),
        ("No devices were found", "No devices were found", 6, 0, "exit code 6: No devices were found"),
        ("", "", 0, 0, "no card"),
        ("0, [GPU is lost], [GPU is lost], [GPU is lost]", "", 15, 1, "exit code 15: card 0: GPU is lost"),
        ("Unable to determine the device handle", machine.LOST_LISTED, 255, 1, ""),
        ("0, GPU-x, [N/A], NVIDIA GB10", "", 0, 1, ""),
        ("0, GPU-x, [Not Supported], NVIDIA Tegra", "", 0, 1, ""),
        ("", "", None, 0, ""),
    ],
    ids=[
        "driver and library differ",
        "no card",
        "silence",
        "the only card is lost",
        "the table fails for a lost card, the list has the other",
        "memory shared with the processor",
        "an old word for no figure",
        "no answer in time",
    ],
)
def test_what_is_wrong(table: str, listing: str, code: int | None, cards: int, failure: str) -> None:
    found = machine.smi(table, listing, code)
    assert len(found.cards) == cards and found.failure == failure
    assert found.answered is (code is not None)


def test_shared_memory_is_unknown_not_lost() -> None:
    (card,) = machine.smi("0, GPU-x, [N/A], NVIDIA GB10", "").cards
    assert card.memory is None and not card.lost


@given(st.text(), st.text(), st.none() | st.integers(0, 255))
def test_any_text_is_read(table: str, listing: str, code: int | None) -> None:
    found = nvidia_smi.parse("/usr/bin/nvidia-smi", code, table, listing)
    assert len({card.index for card in found.cards}) == len(found.cards)
    assert not (found.working and found.failure)


@pytest.mark.parametrize(
    ("card", "title"),
    [
        (Card(0, "GPU-x", "NVIDIA L4", 24 * 1024 * MIB), "card 0 (NVIDIA L4, 24 GiB)"),
        (Card(3, "", "", None, (), "Unknown Error"), "card 3 (unnamed, lost: Unknown Error)"),
        (
            Card(1, "GPU-x", "A100", 81559 * MIB, (Slice(0, "MIG-x", "3g.40gb"),)),
            "card 1 (A100, 79.6 GiB, 1 MIG slices)",
        ),
    ],
)
def test_titles(card: Card, title: str) -> None:
    assert card.title == title
