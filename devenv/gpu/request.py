"""Which GPUs are asked for: by `hostRequirements.gpu`, by a choice of the user (`--gpus`) or of the project's settings.

A choice is one text. Its forms are those of `docker run --gpus` where that has one, so that nobody has to learn two:

| text                  | means                                                                |
|-----------------------|----------------------------------------------------------------------|
| `all`, `none`         |                                                                      |
| `2`                   | any two cards, as `docker run --gpus 2`                              |
| `0,2`, `device=0`     | these cards, by index; one card alone needs `device=`, `0` is a count |
| `GPU-5d5ba0d6…`       | a card by its UUID, or enough of it                                  |
| `0:1`, `MIG-c6d4f1…`  | a MIG slice: the second one of card 0, or by UUID                     |
| `amd.com/gpu=0`       | a CDI device of any vendor; several with commas                      |
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import re

from devcontainer.requirements import Gpu
from devenv.errors import UsageError
from devenv.gpu import cdi
from devenv.gpu.cards import gib

HOST_REQUIREMENT = "hostRequirements.gpu"
OPTION = "--gpus"
SETTING = "container.gpus"

_INDEX = re.compile(r"[0-9]{1,3}\Z", re.ASCII)
_SLICE = re.compile(r"[0-9]{1,3}:[0-9]{1,2}\Z", re.ASCII)
_UUID = re.compile(r"GPU-[0-9a-fA-F][0-9a-fA-F-]{3,35}\Z", re.ASCII)
_MIG_UUID = re.compile(r"MIG-(?:[0-9a-fA-F][0-9a-fA-F-]{3,35}|GPU-[0-9a-fA-F-]{36}/[0-9]+/[0-9]+)\Z", re.ASCII)
_RANGE = re.compile(r"([0-9]{1,3})(?:-|\.\.)([0-9]{1,3})\Z", re.ASCII)
_MOST = 64  # cards in one machine; a larger count is a slip
_FORMS = "all, none, a count, device=0, 0,2, GPU-<uuid>, MIG-<uuid>, 0:1 or vendor.com/class=name"


class NotAChoice(ValueError):
    """A text that chooses no GPUs. `message` says what is wrong with it, `hint` the nearest that can be said."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message} ({hint})")
        self.message = message
        self.hint = hint


class By(enum.Enum):
    ALL = enum.auto()
    NOTHING = enum.auto()
    COUNT = enum.auto()
    CARDS = enum.auto()  # indexes, UUIDs, slices
    CDI = enum.auto()  # full CDI names


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    by: By
    count: int = 0
    names: tuple[str, ...] = ()  # of cards, slices or CDI devices

    def __str__(self) -> str:
        if self.by is By.COUNT:
            return "1 GPU" if self.count == 1 else f"{self.count} GPUs"
        if self.by is By.CARDS:
            return f"GPU {','.join(self.names)}"
        return {By.ALL: "GPUs", By.NOTHING: "no GPUs", By.CDI: ",".join(self.names)}[self.by]


NOTHING = Choice(By.NOTHING)
ALL = Choice(By.ALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a container is to get. `origin` is who says so, in the user's words."""

    choice: Choice = NOTHING
    required: bool = False
    memory: int = 0  # bytes that a card has to have; 0: any
    cores: int = 0
    origin: str = ""

    @property
    def nothing(self) -> bool:
        return self.choice.by is By.NOTHING

    def __str__(self) -> str:
        return f"{self.choice} with {gib(self.memory)}" if self.memory else str(self.choice)


def asked(gpu: Gpu | None, *, option: str = "", setting: str = "") -> Asked:
    """The merged requirement (of image, features and devcontainer.json), a choice on the command line, one in settings.

    The option goes before the setting, and whoever gives it wants GPUs: it requires them. A setting beside
    `"gpu": "optional"` stays a wish: a file of the project must not turn away a machine that the project itself calls
    good enough. Raises `NotAChoice`.
    """
    memory, cores = (gpu.memory, gpu.cores) if gpu is not None else (0, 0)
    if option:
        return Asked(parse(option), True, memory, cores, f"{OPTION} {option}")
    if setting:
        required = gpu is None or gpu.required
        return Asked(parse(setting), required, memory, cores, f"{SETTING}: {setting}")
    if gpu is None:
        return Asked()
    return Asked(ALL, gpu.required, memory, cores, HOST_REQUIREMENT)


def from_option(text: str) -> Choice:
    """`parse` for the command line: raises `UsageError`."""
    try:
        return parse(text)
    except NotAChoice as error:
        raise UsageError(f"{OPTION}: {error.message}", error.hint) from error


def parse(text: str) -> Choice:
    """Raises `NotAChoice`."""
    plain = text.strip().strip('"').strip()
    if plain.lower() in ("all", "none"):
        return ALL if plain.lower() == "all" else NOTHING
    explicit = plain.startswith("device=")
    items = [item.strip() for item in plain.removeprefix("device=").split(",")]
    if not explicit and len(items) == 1 and _INDEX.match(plain):
        return _count(int(plain))
    if "" in items:
        raise NotAChoice(f"{text!r} has an empty part", _nearest(",".join(item for item in items if item)))
    names = tuple(dict.fromkeys(_name(item) for item in items))
    of_cdi = [cdi.is_name(name) for name in names]
    if any(of_cdi) and not all(of_cdi):
        raise NotAChoice(f"{text!r} mixes cards and CDI devices", f"one kind only: {_FORMS}")
    return Choice(By.CDI if any(of_cdi) else By.CARDS, names=names)


def _count(number: int) -> Choice:
    if number == 0:
        raise NotAChoice("'0' is a count of no cards", "for card 0 write 'device=0'; for no GPUs write 'none'")
    if number > _MOST:
        raise NotAChoice(f"'{number}' is a count, and no machine has that many cards", f"known here: {_FORMS}")
    return Choice(By.COUNT, number)


def _name(item: str) -> str:
    if any(pattern.match(item) for pattern in (_INDEX, _SLICE, _UUID, _MIG_UUID)) or cdi.is_name(item):
        return item
    raise NotAChoice(f"{item!r} chooses no GPU", _nearest(item))


def _nearest(item: str) -> str:
    """What was most likely meant: a range, a device's name of PyTorch (`cuda:1`), a word with a slip."""
    if (match := _RANGE.match(item)) and int(match[1]) < int(match[2]) <= int(match[1]) + _MOST:
        return f"did you mean '{','.join(str(n) for n in range(int(match[1]), int(match[2]) + 1))}'?"
    lower = item.lower()
    if lower.startswith(("gpu-", "mig-")):
        return "did you mean " + repr(item[:4].upper() + item[4:]) + "?" if _is_uuid(item) else _uuid_hint(lower[:3])
    if "/" in lower:
        return "a CDI device is written vendor.com/class=name, for example nvidia.com/gpu=0"
    if match := re.fullmatch(r"(?:cuda|gpu|card|device|hip)[ :=#]?([0-9]{1,3})", lower):
        return f"did you mean 'device={match[1]}'?"
    words = {"all": "all", "any": "all", "yes": "all", "true": "all", "none": "none", "no": "none", "false": "none"}
    if close := difflib.get_close_matches(lower, words, n=1, cutoff=0.6):
        return f"did you mean {words[close[0]]!r}?"
    return f"known here: {_FORMS}"


def _is_uuid(item: str) -> bool:
    upper = item[:4].upper() + item[4:]
    return bool(_UUID.match(upper) or _MIG_UUID.match(upper))


def _uuid_hint(kind: str) -> str:
    return f"a UUID is written {kind.upper()}-5d5ba0d6-…; `nvidia-smi -L` lists those of this machine"
