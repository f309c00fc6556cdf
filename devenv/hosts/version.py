"""The oldest engine on another machine that is taken."""

from __future__ import annotations

OLDEST = (1, 41)  # Docker 20.10: control groups of version 2, and what Debian 12 has


def is_too_old(api_version: str) -> bool:
    """By the engine's own API version, "1.41"; what is no version is not too old."""
    major, _, minor = api_version.partition(".")
    return major.isdigit() and minor.isdigit() and (int(major), int(minor)) < OLDEST
