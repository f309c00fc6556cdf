"""devenv's own settings for a container (`container:`), and what their texts mean. Pure.

Sizes and limits are written as `docker create` takes them; each wrong one is told by its key, with what would be right.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

_MIB = 1024**2
_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[kmgt]?)(?:i?b)?\Z", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "k": 1024, "m": _MIB, "g": 1024**3, "t": 1024**4}
_LIMIT = re.compile(r"(?P<soft>unlimited|-1|[0-9]+)(?::(?P<hard>unlimited|-1|[0-9]+))?\Z", re.ASCII)

LIMIT_NAMES = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
)  # fmt: skip
"""What engines take for `--ulimit`."""


class BadSetting(ValueError):
    """A setting that means nothing. `key` is below `container`, `message` what is wrong, `hint` what would be right."""

    def __init__(self, key: str, message: str, hint: str) -> None:
        super().__init__(f"container.{key}: {message} ({hint})")
        self.key = key
        self.message = message
        self.hint = hint


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerSettings:
    """`container:` of devenv.yaml, or of `customizations.devenv`. Empty and None: it does not say.

    `ulimits` are added to the defaults by name; an empty value takes a default away.
    """

    gpus: str = ""
    gpu_via: str = ""
    shm_size: str = ""
    ulimits: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ipc: str = ""
    init: bool | None = None


def size_in_bytes(text: str, key: str = "shm-size") -> int:
    """`8g`, `8gb`, `8 GiB`, `512m`, bytes without a unit; powers of two. Raises `BadSetting`."""
    match = _SIZE.match(text.strip())
    if not match:
        raise BadSetting(key, f"{text!r} is no size", "write it as 8g, 512m or a number of bytes")
    size = int(float(match["number"]) * _UNITS[match["unit"].lower()])
    if size < _MIB:
        raise BadSetting(key, f"{text!r} is less than 1 MiB", f"did you mean {match['number']}g?")
    return size


def limit(name: str, text: str) -> tuple[int, int]:
    """(soft, hard) of one limit, -1 for none; `unlimited`, `N` for both, `SOFT:HARD`. Raises `BadSetting`."""
    key = f"ulimits.{name}"
    if name not in LIMIT_NAMES:
        raise BadSetting(key, f"{name!r} is no limit", f"known here: {', '.join(LIMIT_NAMES)}")
    match = _LIMIT.match(text.strip())
    if not match:
        raise BadSetting(key, f"{text!r} is no limit", "write it as unlimited, 65536 or 65536:524288")
    soft, hard = _number(match["soft"]), _number(match["hard"] or match["soft"])
    if hard != -1 and not 0 <= soft <= hard:
        raise BadSetting(key, f"{text!r} has a soft limit above the hard one", "write it as soft:hard")
    return soft, hard


def check_ipc(mode: str, *, composed: bool) -> None:
    plain = ("private", "shareable", "host", "none")
    prefixes = ("container:", "service:") if composed else ("container:",)
    if mode not in plain and not any(mode.startswith(prefix) and len(mode) > len(prefix) for prefix in prefixes):
        known = ", ".join([*plain, *(f"{prefix}NAME" for prefix in prefixes)])
        raise BadSetting("ipc", f"{mode!r} is no IPC mode", f"known here: {known}")


def _number(text: str) -> int:
    return -1 if text in ("unlimited", "-1") else int(text)
