"""Files that come over the network: written as they come, measured, hashed, and not left behind half-written."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable, Iterator, Mapping

from devenv.errors import RegistryFailed
from devenv.oci.answers import Attempt, refusal
from devenv.oci.digests import Hash
from devenv.oci.failures import AskLater, host
from devenv.oci.transport import Answer, Transport

BLOB_LIMIT = 1024**3  # bytes, where nobody has said how long it is
Seen = Callable[[int, int], None]
"""(bytes so far, bytes in all; 0 when unknown). Called from the thread that downloads."""


def fetch(
    transport: Transport,
    url: str,
    target: pathlib.Path,
    *,
    headers: Mapping[str, str] | None = None,
    seen: Seen | None = None,
    limit: int = BLOB_LIMIT,
) -> str:
    """A plain file from a web address into `target` (a new file); its digest. Raises RegistryError.

    `headers` with Authorization go to that host only, wherever it redirects to.
    """
    attempt = Attempt(host(url), url)

    def once() -> str:
        with transport.stream(url, headers=headers or {}) as (answer, chunks):
            if not answer.ok:
                shown = refusal(answer.status, answer.body, answer.headers, attempt)
                raise AskLater(shown, answer.headers.get("Retry-After")) if _temporary(answer) else shown
            running = hashlib.sha256()
            write(target, chunks, url, running, total=length_of(answer), limit=limit, seen=seen)
            return f"sha256:{running.hexdigest()}"

    return transport.patiently(once)


def write(
    target: pathlib.Path,
    chunks: Iterator[bytes],
    what: str,
    running: Hash,
    *,
    total: int,
    limit: int,
    seen: Seen | None,
) -> int:
    """The number of bytes written. More than `limit` is refused, and no file is left after any error."""
    written = 0
    try:
        with target.open("wb") as file:
            for chunk in chunks:
                written += len(chunk)
                if written > limit:
                    raise RegistryFailed(f"{what}: longer than the {limit} bytes that were announced")
                file.write(chunk)
                running.update(chunk)
                if seen is not None:
                    seen(written, total)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return written


def length_of(answer: Answer) -> int:
    """Content-Length, 0 when the server does not say."""
    text = answer.headers.get("Content-Length") or ""
    return int(text) if text.isdecimal() else 0


def _temporary(answer: Answer) -> bool:
    return answer.status == 429 or answer.status >= 500
