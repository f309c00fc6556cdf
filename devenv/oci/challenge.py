"""`WWW-Authenticate`: how a registry wants to be spoken to (RFC 9110 section 11; distribution's token authentication).

Pure. Several challenges may stand in one header, and a quoted value may hold commas and escaped quotes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))""")


class Challenge(NamedTuple):
    scheme: str  # lower case: "basic", "bearer"
    parameters: dict[str, str]  # names in lower case


def parse(header: str) -> list[Challenge]:
    """Every challenge of a header. What cannot be read is left out."""
    found: list[Challenge] = []
    at = 0
    while at < len(header):
        if header[at] in " \t,":
            at += 1
            continue
        parameter = _PARAMETER.match(header, at)
        if parameter and found:
            quoted, plain = parameter[2], parameter[3]
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            found[-1].parameters.setdefault(parameter[1].lower(), value)
            at = parameter.end()
            continue
        scheme = _TOKEN.match(header, at)
        if scheme is None:
            at += 1
            continue
        found.append(Challenge(scheme[0].lower(), {}))
        at = scheme.end()
    return found


def choose(header: str) -> Challenge | None:
    """The one to answer: a token before a password, which then goes to the token's issuer only."""
    found = parse(header)
    for scheme in ("bearer", "basic"):
        for challenge in found:
            if challenge.scheme == scheme and (scheme == "basic" or challenge.parameters.get("realm")):
                return challenge
    return None
