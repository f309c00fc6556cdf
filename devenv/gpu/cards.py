"""GPUs of a machine, as its drivers name them. Records only."""

from __future__ import annotations

import dataclasses
import re

_PROFILE = re.compile(r"(?P<gib>[0-9]+)gb\b")
_GIB = 1024**3


@dataclasses.dataclass(frozen=True, slots=True)
class Slice:
    """A part of an NVIDIA card (MIG). `index` counts within the card."""

    index: int
    uuid: str  # "MIG-..."
    profile: str  # "3g.20gb", "1c.3g.20gb", "1g.10gb+me"

    @property
    def memory(self) -> int | None:
        """Bytes, as its profile is called; None when the name does not say."""
        match = _PROFILE.search(self.profile)
        return int(match["gib"]) * _GIB if match else None


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """One NVIDIA card. `lost` is what `nvidia-smi` says in place of its figures, "" for a card that works."""

    index: int
    uuid: str  # "GPU-..."
    name: str
    memory: int | None = None  # bytes; None where the driver does not tell
    slices: tuple[Slice, ...] = ()
    lost: str = ""

    @property
    def title(self) -> str:
        """`card 0 (NVIDIA A100-SXM4-40GB, 40 GiB)`, for people."""
        facts = [self.name or "unnamed"]
        if self.lost:
            facts.append(f"lost: {self.lost}")
        elif self.memory is not None:
            facts.append(gib(self.memory))
        if self.slices:
            facts.append(f"{len(self.slices)} MIG slices")
        return f"card {self.index} ({', '.join(facts)})"


@dataclasses.dataclass(frozen=True, slots=True)
class RenderNode:
    """A GPU that is used through /dev/dri. `vendor` is the PCI vendor, 0 where the kernel does not say."""

    path: str  # /dev/dri/renderD128
    gid: int
    vendor: int = 0
    memory: int | None = None  # bytes of its own memory


AMD = 0x1002


def gib(size: int) -> str:
    """Bytes as people read them: `40 GiB`, `79.6 GiB`."""
    return f"{size / _GIB:.1f}".removesuffix(".0") + " GiB"
