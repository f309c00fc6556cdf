"""Sizes as people write them in devenv.yaml."""

from __future__ import annotations

import re

_SIZE = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>[kmgt]?)(?:(?<=[kmgt])ib|b)?\Z", re.ASCII | re.IGNORECASE
)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def in_bytes(text: str) -> int:
    """`100MB`, `2 GiB`, `1.5g`, bytes without a unit; powers of two, as engines take them. Raises ValueError."""
    match = _SIZE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no size")
    return int(float(match["number"]) * _UNITS[match["unit"].lower()])
