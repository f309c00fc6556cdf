"""`hostRequirements`: what a project asks of the machine (spec, *Host requirements*)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

from devcontainer.jsonc import JsonValue

_SIZE = re.compile(r"([0-9]+)([tgmk]b)?\Z", re.ASCII)
_UNITS = {"t": 2**40, "g": 2**30, "m": 2**20, "k": 2**10}


def is_size(text: str) -> bool:
    return _SIZE.match(text) is not None


def size_in_bytes(text: str) -> int:
    """`"8gb"` in bytes, powers of two; a bare number is bytes; anything else is 0, as in the reference."""
    match = _SIZE.match(text)
    return int(match[1]) * (_UNITS[match[2][0]] if match[2] else 1) if match else 0


@dataclasses.dataclass(frozen=True, slots=True)
class Gpu:
    """`required` False: wished for, and done without if there is none. 0 cores or memory: any."""

    required: bool
    cores: int = 0
    memory: int = 0  # bytes


@dataclasses.dataclass(frozen=True, slots=True)
class HostRequirements:
    """Minimums; 0 and None mean: nothing is asked."""

    cpus: int = 0
    memory: int = 0  # bytes
    storage: int = 0  # bytes
    gpu: Gpu | None = None

    def __bool__(self) -> bool:
        return bool(self.cpus or self.memory or self.storage or self.gpu)


def parse(value: JsonValue) -> HostRequirements:
    """A lenient reading: what has the wrong type asks for nothing."""
    if not isinstance(value, Mapping):
        return HostRequirements()
    return HostRequirements(
        cpus=_count(value.get("cpus")),
        memory=_size(value.get("memory")),
        storage=_size(value.get("storage")),
        gpu=_gpu(value.get("gpu")),
    )


def merge(requirements: Sequence[HostRequirements]) -> HostRequirements:
    """The highest of each (spec, *Merge logic*)."""
    gpu: Gpu | None = None
    for requirement in requirements:
        gpu = _merge_gpu(gpu, requirement.gpu)
    return HostRequirements(
        cpus=max((r.cpus for r in requirements), default=0),
        memory=max((r.memory for r in requirements), default=0),
        storage=max((r.storage for r in requirements), default=0),
        gpu=gpu,
    )


def _merge_gpu(one: Gpu | None, other: Gpu | None) -> Gpu | None:
    """Optional only if both are; whoever requires, with or without a size, wins."""
    if one is None or other is None:
        return one or other
    return Gpu(one.required or other.required, max(one.cores, other.cores), max(one.memory, other.memory))


def _gpu(value: JsonValue) -> Gpu | None:
    if value is True:
        return Gpu(required=True)
    if value == "optional":
        return Gpu(required=False)
    if isinstance(value, Mapping):
        return Gpu(True, _count(value.get("cores")), _size(value.get("memory")))
    return None


def _count(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _size(value: JsonValue) -> int:
    return size_in_bytes(value) if isinstance(value, str) else 0
