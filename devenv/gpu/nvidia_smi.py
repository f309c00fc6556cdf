"""What `nvidia-smi` prints, read. Pure; who runs it is `devenv.gpu.survey`.

Two outputs are asked for: a query in CSV (figures of each card) and the list (`-L`: slices of cards in MIG mode, and
cards that answer nothing else). Every driver since 2020 has both; none of their words is taken for a decision but the
places where a figure stands.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from devenv.gpu.cards import Card, Slice

QUERY = ("--query-gpu=index,uuid,memory.total,name", "--format=csv,noheader,nounits")
LIST = ("-L",)

_CARD = re.compile(r"GPU (?P<index>[0-9]+): (?P<name>.*) \(UUID: (?P<uuid>[^)]+)\)\s*\Z")
_SLICE = re.compile(r"MIG (?P<profile>\S+)\s+Device\s+(?P<index>[0-9]+): \(UUID: (?P<uuid>[^)]+)\)\s*\Z")
_NO_FIGURE = re.compile(r"\[(?P<word>.*)\]\Z")
_UNSUPPORTED = ("N/A", "Not Supported", "Not Available")
_MIB = 1024**2


@dataclasses.dataclass(frozen=True, slots=True)
class Smi:
    """What a look with `nvidia-smi` gave. `path` is empty where there is no such program.

    `code` is its exit status; None when it gave no answer in time. `troubles` are lines that tell no card.
    """

    path: str = ""
    code: int | None = 0
    cards: tuple[Card, ...] = ()
    troubles: tuple[str, ...] = ()

    @property
    def answered(self) -> bool:
        return bool(self.path) and self.code is not None

    @property
    def working(self) -> tuple[Card, ...]:
        return tuple(card for card in self.cards if not card.lost)

    @property
    def failure(self) -> str:
        """Why there is no card to use, in one line; "" where there is one, or where nobody answered."""
        if not self.answered or self.working:
            return ""
        said = next((f"card {c.index}: {c.lost}" for c in self.cards), "") or next(iter(self.troubles), "")
        status = f"exit code {self.code}" if self.code else "no card"
        return f"{status}: {said}" if said else status


def parse(path: str, code: int | None, table: str, listing: str) -> Smi:
    """`table` is what `QUERY` printed, `listing` what `LIST` printed, both on stdout and stderr."""
    cards: dict[int, Card] = {}
    troubles: list[str] = []
    for line in table.splitlines():
        card = _row(line)
        if card is not None:
            cards[card.index] = card
        elif line.strip():
            troubles.append(line.strip())
    listed, slices, unread = _listed(listing)
    for index, card in listed.items():
        cards.setdefault(index, card)
    made = [dataclasses.replace(card, slices=slices.get(index, ())) for index, card in sorted(cards.items())]
    return Smi(path, code, tuple(made), tuple(dict.fromkeys([*troubles, *unread])))


def _row(line: str) -> Card | None:
    """`0, GPU-..., 40960, NVIDIA A100` (MiB). A word in brackets stands where the driver has no figure."""
    fields = [field.strip() for field in line.split(",", 3)]
    if len(fields) != 4 or not fields[0].isdigit():
        return None
    index, uuid, memory, name = fields
    lost = ""
    for field in (uuid, name, memory):
        match = _NO_FIGURE.match(field)
        if match and match["word"] not in _UNSUPPORTED:
            lost = lost or match["word"]
    return Card(
        index=int(index),
        uuid="" if _NO_FIGURE.match(uuid) else uuid,
        name="" if _NO_FIGURE.match(name) else name,
        memory=int(memory) * _MIB if memory.isdigit() else None,
        lost=lost,
    )


def _listed(text: str) -> tuple[dict[int, Card], Mapping[int, tuple[Slice, ...]], list[str]]:
    cards: dict[int, Card] = {}
    slices: dict[int, tuple[Slice, ...]] = {}
    unread: list[str] = []
    last: int | None = None
    for line in text.splitlines():
        if match := _CARD.match(line.strip()):
            last = int(match["index"])
            cards[last] = Card(last, match["uuid"], match["name"])
        elif (match := _SLICE.match(line.strip())) and last is not None:
            found = Slice(int(match["index"]), match["uuid"], match["profile"])
            slices[last] = (*slices.get(last, ()), found)
        elif line.strip():
            unread.append(line.strip())
    return cards, slices, unread
