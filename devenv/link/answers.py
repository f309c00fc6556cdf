"""The agent's error codes as exceptions. Nothing is decided by an error's text."""

from __future__ import annotations

import errno
from typing import Any

from devenv.errors import DevenvError, LinkError, NotFound


class AgentRefusal(LinkError):
    """The agent answered no to one request. Unlike every other LinkError, the link lives on.

    `details`: {"code": the agent's word, "errno": int | None}.
    """


def failure(error: Any) -> DevenvError:
    """The exception for the `error` object of a reply."""
    if not isinstance(error, dict):
        error = {}
    code = str(error.get("code", "unknown"))
    number = error.get("errno")
    details = {"code": code, "errno": number if isinstance(number, int) else None}
    message = str(error.get("message", "")) or code
    if code in ("not-found", "no-cwd"):
        return NotFound(message, details=details)
    return AgentRefusal(message, details=details)


def connect_failure(refusal: AgentRefusal) -> OSError | None:
    """What a local connect() would have raised, or None when the refusal is of another kind."""
    code, number = refusal.details.get("code"), refusal.details.get("errno")
    if code == "refused":
        return ConnectionRefusedError(errno.ECONNREFUSED, refusal.message)
    if code == "timeout":
        return TimeoutError(errno.ETIMEDOUT, refusal.message)
    if code == "unreachable":
        return OSError(number or errno.EHOSTUNREACH, refusal.message)
    if number:
        return OSError(number, refusal.message)
    return None
