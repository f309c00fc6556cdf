"""From what is asked to cards that are there: which of them, and by which names each way can call them. Pure.

Where `nvidia-smi` has told the cards, every name is checked and a lost card is left out; else names are passed on as
they are written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from devenv.gpu.cards import Card, RenderNode, Slice, gib
from devenv.gpu.request import Asked, By

ALL = "all"


class NotThere(ValueError):
    """What is asked is not among the cards that are known. `message` says which, `there` what there is instead."""

    def __init__(self, message: str, there: str) -> None:
        super().__init__(f"{message}; {there}")
        self.message = message
        self.there = there


@dataclasses.dataclass(frozen=True, slots=True)
class Pick:
    """One card or slice. `names` are all that it is called: first in the form in which it was asked, in full."""

    names: tuple[str, ...]
    card: Card | None = None
    slice: Slice | None = None

    @property
    def memory(self) -> int | None:
        """Bytes that one process can have; of a card in MIG mode that is its largest slice."""
        if self.slice is not None:
            return self.slice.memory
        if self.card is not None and self.card.slices:
            return max((part.memory for part in self.card.slices if part.memory is not None), default=None)
        return self.card.memory if self.card is not None else None


@dataclasses.dataclass(frozen=True, slots=True)
class Picked:
    """`everything`: whatever there is. `count` > 0: that many, the engine chooses. Else exactly `picks`.

    `known` are the cards and slices that the container gets, as far as they are known. `lines` tell what was left out.
    """

    everything: bool = False
    count: int = 0
    picks: tuple[Pick, ...] = ()
    known: tuple[Pick, ...] = ()
    lines: tuple[str, ...] = ()


def nvidia(asked: Asked, cards: Sequence[Card]) -> Picked:
    """`cards` empty: nothing is known of them. Raises `NotThere`."""
    choice = asked.choice
    if choice.by is By.CARDS:
        picks = tuple(_find(name, cards) for name in choice.names)
        return Picked(picks=picks, known=picks if cards else ())
    working = [card for card in cards if not card.lost]
    if choice.by is By.COUNT and cards and choice.count > len(working):
        raise NotThere(f"{choice} asked, {len(working)} there", listed(cards))
    lost = [card for card in cards if card.lost]
    chosen = working[: choice.count] if choice.by is By.COUNT else working
    taken = [Pick(_unique(str(card.index), card.uuid), card) for card in chosen]
    if lost:  # asked for "all", an engine would take the lost one too and fail
        lines = tuple(f"left out: {card.title}" for card in lost)
        return Picked(picks=tuple(taken), known=tuple(taken), lines=lines)
    return Picked(
        everything=choice.by is not By.COUNT,
        count=choice.count if choice.by is By.COUNT else 0,
        known=tuple(taken),
    )


def amd(asked: Asked, nodes: Sequence[RenderNode]) -> tuple[RenderNode, ...]:
    """AMD cards are counted in the order of their render nodes. Raises `NotThere`."""
    choice = asked.choice
    there = f"AMD GPUs here: {', '.join(node.path for node in nodes) or 'none'}"
    if choice.by is By.COUNT:
        if choice.count > len(nodes):
            raise NotThere(f"{choice} asked, {len(nodes)} there", there)
        return tuple(nodes[: choice.count])
    if choice.by is not By.CARDS:
        return tuple(nodes)
    found = []
    for name in choice.names:
        if not name.isdigit() or int(name) >= len(nodes):
            raise NotThere(f"there is no AMD GPU {name}", there)
        found.append(nodes[int(name)])
    return tuple(found)


def cdi_names(picked: Picked, local: Iterable[str]) -> list[str] | None:
    """Names within one CDI kind for what is picked; None when the kind has no device for some of it.

    Vendors' tools name a card by index (`0`), by UUID, or by type and index (`gpu0`, `mig0:1`), or by several of them.
    A card in MIG mode has names for its slices only.
    """
    names = list(local)
    if picked.picks:
        chosen = [_local_names(pick, names) for pick in picked.picks]
        return None if any(not found for found in chosen) else list(dict.fromkeys(n for found in chosen for n in found))
    if picked.everything and ALL in names:
        return [ALL]
    single = _one_name_each(names)
    if picked.everything:
        return single or None
    return single[: picked.count] if picked.count <= len(single) else None


def enough_memory(asked_bytes: int, there: int) -> bool:
    """Cards are called after the memory on the board; up to a twelfth of it is the driver's and ECC's own (a T4 of
    16 GB shows 14.8 GiB), and nobody means to turn such a card away."""
    return there * 12 >= asked_bytes * 11


def listed(cards: Sequence[Card]) -> str:
    return "this machine has " + (", ".join(card.title for card in cards) if cards else "no card")


def memory_known(picks: Iterable[Pick]) -> list[tuple[str, int]]:
    """(name for people, bytes) of those whose memory is known."""
    found = []
    for pick in picks:
        memory = pick.memory
        if memory is not None and pick.card is not None:
            what = f"slice {pick.slice.profile} of " if pick.slice is not None else ""
            found.append((f"{what}card {pick.card.index} has {gib(memory)}", memory))
    return found


def _find(name: str, cards: Sequence[Card]) -> Pick:
    if not cards:
        return Pick((name,))
    fits: list[Pick] = []
    for card in cards:
        if name.isdigit() and int(name) == card.index:
            fits.append(Pick(_unique(name, card.uuid), card))
        elif name.startswith("GPU-") and card.uuid.lower().startswith(name.lower()):
            fits.append(Pick(_unique(card.uuid, str(card.index)), card))
        for part in card.slices:
            place = f"{card.index}:{part.index}"
            if name == place:
                fits.append(Pick(_unique(place, part.uuid), card, part))
            elif name.startswith("MIG-") and part.uuid.lower().startswith(name.lower()):
                fits.append(Pick(_unique(part.uuid, place), card, part))
    if len(fits) > 1:
        raise NotThere(f"{name} means {len(fits)} cards or slices", listed(cards))
    if not fits:
        raise NotThere(f"there is no GPU {name}", listed(cards))
    (pick,) = fits
    if pick.card is not None and pick.card.lost:
        raise NotThere(f"GPU {name} does not work ({pick.card.lost})", listed(cards))
    return pick


def _unique(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _local_names(pick: Pick, names: Sequence[str]) -> list[str]:
    kind = "mig" if pick.slice is not None or ":" in pick.names[0] else "gpu"
    for name in pick.names:
        for candidate in (name, f"{kind}{name}"):
            if candidate in names:
                return [candidate]
    if pick.slice is None:
        for name in pick.names:
            for prefix in (f"{name}:", f"mig{name}:"):
                if slices := [candidate for candidate in names if candidate.startswith(prefix)]:
                    return slices
    return []


def _one_name_each(names: Sequence[str]) -> list[str]:
    """One name per device where each has several: those with an index before UUIDs."""
    for kind in (
        [name for name in names if name.replace(":", "").isdigit()],
        [name for name in names if name.startswith(("gpu", "mig")) and name[3:].replace(":", "").isdigit()],
    ):
        if kind:
            return kind
    return [name for name in names if name != ALL]
