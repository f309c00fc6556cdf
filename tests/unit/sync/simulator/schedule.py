"""What happens, by a seed: who writes where, what goes wrong, and at which call.

How long they are was measured by the mutants found for each call of the kernel: with one round only a third as many,
with up to six a tenth more than with up to four.
"""

from __future__ import annotations

import dataclasses
import random

from devenv.sync.core.merge import Mode
from tests.unit.sync.simulator.disks import OWN
from tests.unit.sync.simulator.people import Action

PATHS = ("a", "b", "c", "d/a", "d/b", "d/e/a", "e/a", "e/e/a")
FOLDERS = ("d", "e", "d/e")
CALLS = (
    "exchange", "move", "open", "lstat", "read", "write", "fsync", "rmdir", "mkdir", "scandir", "rename", "chmod",
    "fstat", "unlink", "save", "syncfs",
)  # fmt: skip
WRITERS = (
    ("save", 10), ("put", 6), ("delete", 7), ("move", 6), ("back", 1), ("backdate", 2), ("hold", 2), ("late", 3),
    ("chmod", 2), ("mkdir", 2), ("symlink", 1), ("checkout", 2), ("same", 3), ("thin", 1), ("swap", 1),
)  # fmt: skip
TROUBLE = (
    ("crash", 5), ("orphan", 2), ("kill", 4), ("cut", 4), ("flip", 2), ("full", 3), ("unsaved", 2), ("damage", 1),
    ("pipe", 1), ("deny", 2), ("rules", 2), ("recreate", 2), ("empty", 1), ("unmount", 1), ("elsewhere", 2),
    ("jump", 1), ("restart", 2),
)  # fmt: skip
AIMED = ("save", "put", "delete", "hold")
DEATHS = ("crash", "kill", "orphan", "elsewhere", "recreate")
HINTS = ("exact",) * 6 + ("late", "lost", "none", "missed")
WIRE = 8  # one in so many goes over the wire: it costs more
ONE_WAY = 20  # one in so many lets nothing go one of the two ways
VOIDS = ("damage", "recreate", "empty", "unmount", "elsewhere", "rules", "full")


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """`count` 0 is now, between two cycles; else at that call of the name from now on, of any name where it is ""."""

    action: Action
    call: str = ""
    count: int = 0

    def __str__(self) -> str:
        return f"{self.action}" + (f", at call {self.count} {self.call}" if self.count else "")


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    seed: int
    items: tuple[Item, ...]
    mode: Mode = Mode.TWO_WAY_SAFE
    alone: str = ""  # the only side on which anybody writes
    exchanges: bool = True  # whether the file systems can change the places of two names
    attributes: bool = True
    pieces: int = 0
    wire: bool = False  # whether the container is asked over its wire

    def without(self, at: int) -> Schedule:
        return dataclasses.replace(self, items=self.items[:at] + self.items[at + 1 :])

    def __str__(self) -> str:
        said = [f"seed {self.seed}, {self.mode.value}"]
        said += [f"only the {self.alone} writes"] if self.alone else []
        said += [] if self.exchanges else ["no exchanging of names"]
        said += ["over the wire"] if self.wire else []
        return ", ".join(said) + "".join(f"\n  - {item}" for item in self.items)


def _spread(table: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    return tuple(name for name, weight in table for _ in range(weight))


_WRITERS, _TROUBLE = _spread(WRITERS), _spread(TROUBLE)


class _Maker:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._token = 0
        pick = self._random.random
        self.alone = ("host", "container")[pick() < 0.5] if pick() < 0.25 else ""
        self.mode = Mode.PREFER_HOST if not self.alone and pick() < 0.1 else Mode.TWO_WAY_SAFE
        self.exchanges = pick() > 0.05
        self.attributes = pick() > 0.5
        self.pieces = self._random.choice((0, 0, 0, 16, 5))

    def _choice(self, among: tuple[str, ...]) -> str:
        return among[int(self._random.random() * len(among))]

    def _side(self) -> str:
        return self.alone or self._choice(("host", "container"))

    def _text(self) -> bytes:
        """Three in four are as long as each other: a size tells little."""
        self._token += 1
        return b"%04d" % self._token if self._random.random() < 0.75 else b"%04d longer" % self._token

    def write(self, side: str = "") -> Action:
        what, side = self._choice(_WRITERS), side or self._side()
        path = self._choice(PATHS)
        match what:
            case "same":
                return Action("save", side, path, text=b"same")
            case "move":
                among = FOLDERS if self._random.random() < 0.3 else PATHS
                return Action("move", side, self._choice(among), self._choice(among))
            case "delete" | "mkdir":
                return Action(what, side, path if self._random.random() < 0.7 else self._choice(FOLDERS))
            case "symlink":
                return Action(what, side, path, self._choice(("a", "../b", "d")))
            case "swap":
                return Action(what, side, "d", "e")
            case "thin":
                return Action(what, side)
            case "checkout":
                count = 2 + int(self._random.random() * 7)
                return Action(what, side, to=" ".join(self._random.sample(PATHS, count)), text=self._text())
        return Action(what, side, path, text=self._text())

    def trouble(self) -> Action:
        while True:
            what, side = self._choice(_TROUBLE), self._side()
            if self.alone and what in VOIDS:
                continue
            among = FOLDERS if self._random.random() < 0.3 else PATHS
            match what:
                case "pipe" | "deny":
                    return Action(what, side, self._choice(among))
                case "rules":
                    return Action(what, to=self._choice(("a", "d", "", "")))
                case "recreate" | "elsewhere":
                    paths = self._random.sample(PATHS, int(self._random.random() * 3))
                    side = "container" if what == "recreate" else side
                    return Action(what, side, to=" ".join(paths), text=self._text())
                case "empty":
                    return Action(what, side, self._choice(("", OWN)))
                case "flip" | "full":
                    return Action(what, side, to=str(1 + int(self._random.random() * 90)))
            return Action(what, side)

    def at(self, action: Action) -> Item:
        if action.what == "backdate":
            return Item(action)  # in the moment of a move nobody could see it: it ends in the trash
        if action.what in AIMED and self._random.random() < 0.5:
            call = self._choice(("exchange", "exchange", "move", "move", "open", "read", "lstat", "fstat"))
            action = dataclasses.replace(action, side=self.alone, path="*")
            return Item(action, call, 1 + int(self._random.random() ** 2 * 4))
        if action.what in DEATHS and self._random.random() < 0.5:
            return Item(action, self._choice(("exchange", "move", "move", "save")), 1 + int(self._random.random() * 5))
        if self._random.random() < 0.6:
            return Item(action, self._choice(CALLS), 1 + int(self._random.random() ** 2 * 6))
        return Item(action, "", 1 + int(self._random.random() * 250))

    def cycle(self) -> Item:
        return Item(Action("cycle", to=self._choice(HINTS)))

    def items(self) -> list[Item]:
        chance = self._random.random
        found = [Item(self.write("" if self.alone else "host")) for _ in range(2 + int(chance() * 4))]
        if chance() < 0.85:
            found.append(Item(Action("cycle", to="exact")))
        for _ in range(1 + int(chance() * 4)):
            for _ in range(int(chance() * 4)):
                found.append(Item(self.write()))
            if chance() < 0.6:
                found.append(self.at(self.write()))
            if chance() < 0.4:
                trouble = self.trouble()
                found.append(self.at(trouble) if chance() < 0.75 else Item(trouble))
            if chance() < 0.3:
                found.append(self.at(self.write()))
            found.append(self.cycle())
        return found


def schedule(seed: int) -> Schedule:
    maker = _Maker(seed)
    items = tuple(maker.items())
    wire = seed % WIRE == WIRE - 1
    mode = maker.mode
    if seed % ONE_WAY == ONE_WAY // 2 and not maker.alone:
        mode = (Mode.TO_CONTAINER, Mode.TO_HOST)[seed // ONE_WAY % 2]
    return Schedule(seed, items, mode, maker.alone, maker.exchanges, maker.attributes, maker.pieces, wire)
