"""What a registry's refusal means: a status and its error codes in, an error for people out. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from devenv.errors import (
    RegistryBusy,
    RegistryDenied,
    RegistryError,
    RegistryFailed,
    RegistryMissing,
)

_SHOWN = 200  # characters of a registry's own words


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """What was asked of whom, and as whom."""

    registry: str
    what: str  # "ghcr.io/devcontainers/features/node:1"
    credentials: Sequence[str] = ()  # kinds that were tried, never the credentials themselves


def error_codes(body: bytes) -> list[tuple[str, str]]:
    """(code, message) of an error body (distribution specification, *Error Codes*); empty for anything else."""
    try:
        found: Any = json.loads(body)
        listed = found["errors"]
        return [(str(one.get("code", "")), one_line(str(one.get("message", "")))) for one in listed]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def refusal(status: int, body: bytes, headers: Mapping[str, str], attempt: Attempt) -> RegistryError:
    """The error for an answer that is not the wanted one."""
    said = "; ".join(message or code for code, message in error_codes(body))
    because = f" ({said})" if said else ""
    details = {"registry": attempt.registry, "status": status, "codes": [code for code, _ in error_codes(body)]}
    if status in (401, 403):
        return denied(attempt, f"{'no access' if status == 401 else 'access denied'}{because}", details)
    if status == 404:
        return RegistryMissing(f"{attempt.what}: not found{because}", "check its name and tag", details=details)
    if status == 429:
        wait = headers.get("Retry-After")
        when = f"; it asks to wait {one_line(wait)} s" if wait and wait.isdigit() else ""
        return RegistryBusy(
            f"{attempt.what}: {attempt.registry} limits how often it may be asked{when}{because}",
            f"try later, or log in for a higher limit: docker login {attempt.registry}",
            details=details,
        )
    if status >= 500:
        return RegistryFailed(
            f"{attempt.what}: {attempt.registry} failed with status {status}{because}",
            "the fault is the registry's: try again later",
            details=details,
        )
    return RegistryFailed(
        f"{attempt.what}: {attempt.registry} answered with status {status}{because}",
        "is it a registry that speaks the OCI protocol?",
        details=details,
    )


def denied(attempt: Attempt, why: str, details: Mapping[str, Any] | None = None) -> RegistryDenied:
    tried = ", ".join(attempt.credentials) if attempt.credentials else "none found, asked anonymously"
    return RegistryDenied(
        f"{attempt.what}: {why}; credentials: {tried}",
        f"check the name, or log in: docker login {attempt.registry}",
        details={"registry": attempt.registry, "credentials": list(attempt.credentials), **(details or {})},
    )


def unusable(attempt: Attempt, why: str) -> RegistryFailed:
    """An answer with the right status that cannot be understood."""
    return RegistryFailed(
        f"{attempt.what}: {attempt.registry} answered with something unusable: {why}",
        "is it a registry that speaks the OCI protocol?",
        details={"registry": attempt.registry},
    )


def one_line(text: str) -> str:
    """A stranger's words, fit for one line of ours."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= _SHOWN else plain[: _SHOWN - 1] + "…"
