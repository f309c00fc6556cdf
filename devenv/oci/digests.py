"""Content digests as OCI writes them (`sha256:<hex>`). Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

from devenv.errors import DigestMismatch

_DIGEST = re.compile(r"(sha256):[0-9a-f]{64}|(sha512):[0-9a-f]{128}")


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def is_digest(text: str) -> bool:
    """Whether it is a digest of an algorithm that OCI registers (image specification, *Descriptors*)."""
    return _DIGEST.fullmatch(text) is not None


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def start(digest: str) -> Hash:
    """A running hash of this digest's algorithm. Raises ValueError for what is no digest."""
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise ValueError(f"{digest!r} is not a digest")
    return hashlib.sha512() if found[2] else hashlib.sha256()


def verify(data: bytes, digest: str, what: str) -> None:
    """Raises DigestMismatch when these bytes are not the ones that the digest names."""
    running = start(digest)
    running.update(data)
    compare(running, digest, what)


def compare(running: Hash, digest: str, what: str) -> None:
    algorithm, _, wanted = digest.partition(":")
    if running.hexdigest() != wanted:
        raise mismatch(what, digest, f"{algorithm}:{running.hexdigest()}")


def mismatch(what: str, wanted: str, found: str) -> DigestMismatch:
    return DigestMismatch(
        f"{what}: the digest is {found}, expected {wanted}",
        "the registry, a proxy or the lockfile is wrong; nothing of it was used",
        details={"expected": wanted, "found": found},
    )
