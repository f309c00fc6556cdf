"""Which cards, and what each way calls them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devenv.gpu import request, selection
from devenv.gpu.cards import Card
from devenv.gpu.request import Asked
from devenv.gpu.selection import NotThere, Pick, Picked
from tests.unit.gpu import machine

GIB = 1024**3
TWO = machine.smi().cards
MIG = machine.smi(machine.MIG, machine.MIG_LISTED).cards
LOST = machine.smi(machine.LOST, machine.LOST_LISTED).cards


def picked(text: str, cards: tuple[Card, ...]) -> Picked:
    return selection.nvidia(Asked(request.parse(text)), cards)


@pytest.mark.parametrize(
    ("text", "cards", "everything", "count", "names"),
    [
        ("all", TWO, True, 0, []),
        ("all", (), True, 0, []),
        ("2", TWO, False, 2, []),
        ("2", (), False, 2, []),
        ("0,1", TWO, False, 0, ["0", "1"]),
        ("1,0", TWO, False, 0, ["1", "0"]),
        ("GPU-1111", TWO, False, 0, [machine.UUIDS[1]]),
        ("GPU-0000", TWO, False, 0, [machine.UUIDS[0]]),
        ("0:1", MIG, False, 0, ["0:1"]),
        ("MIG-3333", MIG, False, 0, ["MIG-33333333-aaaa-bbbb-cccc-000000000000"]),
        ("device=0", MIG, False, 0, ["0"]),
        ("5,7", (), False, 0, ["5", "7"]),
        ("all", LOST, False, 0, ["0"]),
        ("1", LOST, False, 0, ["0"]),
        ("device=0", LOST, False, 0, ["0"]),
    ],
)
def test_picks(text: str, cards: tuple[Card, ...], everything: bool, count: int, names: list[str]) -> None:
    found = picked(text, cards)
    assert (found.everything, found.count, [pick.names[0] for pick in found.picks]) == (everything, count, names)


def test_a_lost_card_is_left_out_and_told() -> None:
    assert picked("all", LOST).lines == ("left out: card 1 (unnamed, lost: Unknown Error)",)


@pytest.mark.parametrize(
    ("text", "cards", "words"),
    [
        ("device=5", TWO, "there is no GPU 5; this machine has card 0 "),
        ("GPU-9999", TWO, "there is no GPU GPU-9999"),
        ("GPU-0000", (*TWO, TWO[0]), "means 2 cards"),
        ("3", TWO, "3 GPUs asked, 2 there"),
        ("2", LOST, "2 GPUs asked, 1 there"),
        ("device=1", LOST, "does not work .Unknown Error."),
        ("1:0", MIG, "there is no GPU 1:0"),
        ("MIG-9999", MIG, "there is no GPU MIG-9999"),
    ],
)
def test_what_is_not_there(text: str, cards: tuple[Card, ...], words: str) -> None:
    with pytest.raises(NotThere, match=words):
        picked(text, cards)


BOTH = ["0", "1", *machine.UUIDS, "all"]
BY_TYPE = ["gpu0", "gpu1", "all"]
SLICES = ["0:0", "0:1", "1", "MIG-33333333-aaaa-bbbb-cccc-000000000000", "all"]


@pytest.mark.parametrize(
    ("text", "cards", "names", "expected"),
    [
        ("all", TWO, BOTH, ["all"]),
        ("all", TWO, ["0", "1"], ["0", "1"]),
        ("all", TWO, [], None),
        ("all", LOST, BOTH, ["0"]),
        ("1", TWO, BOTH, ["0"]),
        ("2", (), BOTH, ["0", "1"]),
        ("3", (), BOTH, None),
        ("2", (), [*machine.UUIDS, "all"], list(machine.UUIDS)),
        ("device=1", TWO, BOTH, ["1"]),
        ("device=1", TWO, [*machine.UUIDS, "all"], [machine.UUIDS[1]]),
        ("device=1", (), [*machine.UUIDS, "all"], None),
        ("GPU-1111", TWO, ["0", "1", "all"], ["1"]),
        ("device=1", TWO, BY_TYPE, ["gpu1"]),
        ("2", TWO, BY_TYPE, ["gpu0", "gpu1"]),
        ("0:1", MIG, SLICES, ["0:1"]),
        ("MIG-3333", MIG, SLICES, ["MIG-33333333-aaaa-bbbb-cccc-000000000000"]),
        ("MIG-2222", MIG, SLICES, ["0:1"]),
        ("0:1", MIG, ["mig0:1", "gpu1"], ["mig0:1"]),
        ("device=0", MIG, SLICES, ["0:0", "0:1"]),
        ("device=0", MIG, ["mig0:0", "mig0:1"], ["mig0:0", "mig0:1"]),
        ("0,1", TWO, ["all"], None),
    ],
)
def test_names_of_cdi_devices(text: str, cards: tuple[Card, ...], names: list[str], expected: list[str] | None) -> None:
    assert selection.cdi_names(picked(text, cards), names) == expected


@given(st.integers(1, 64), st.integers(0, 64))
def test_a_count_gives_that_many_or_nothing(count: int, there: int) -> None:
    found = selection.cdi_names(Picked(count=count), [*map(str, range(there)), "all"])
    assert found == ([str(n) for n in range(count)] if count <= there else None)


@pytest.mark.parametrize(
    ("card", "shown_mib", "nominal_gib", "enough"),
    [
        ("NVIDIA L4", 23034, 24, True),
        ("Tesla T4", 15109, 16, True),
        ("RTX 4090", 24564, 24, True),
        ("H100 80GB", 81559, 80, True),
        ("A100 40GB", 40536, 40, True),
        ("RTX 3080, 10 GB", 10240, 12, False),
        ("NVIDIA L4", 23034, 32, False),
        ("RTX 4090", 24564, 48, False),
    ],
)
def test_memory_as_cards_are_called(card: str, shown_mib: int, nominal_gib: int, enough: bool) -> None:
    assert selection.enough_memory(nominal_gib * GIB, shown_mib * 1024**2) is enough, card


def test_memory_of_a_card_in_slices_is_that_of_the_largest() -> None:
    known = selection.memory_known([Pick(("0",), MIG[0]), Pick(("0:1",), MIG[0], MIG[0].slices[1]), Pick(("9",))])
    assert known == [("card 0 has 20 GiB", 20 * GIB), ("slice 2g.10gb of card 0 has 10 GiB", 10 * GIB)]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("all", ["/dev/dri/renderD128", "/dev/dri/renderD129"]),
        ("1", ["/dev/dri/renderD128"]),
        ("device=1", ["/dev/dri/renderD129"]),
    ],
)
def test_amd_cards(text: str, paths: list[str]) -> None:
    found = selection.amd(Asked(request.parse(text)), machine.amd(16, 16).amd)
    assert [node.path for node in found] == paths


@pytest.mark.parametrize(
    ("text", "words"), [("3", "3 GPUs asked, 2 there"), ("device=2", "no AMD GPU 2"), ("GPU-1111", "no AMD")]
)
def test_amd_cards_that_are_not_there(text: str, words: str) -> None:
    with pytest.raises(NotThere, match=words):
        selection.amd(Asked(request.parse(text)), machine.amd(16, 16).amd)
