"""Reading and writing one registry (OCI distribution specification 1.1). Blocking; calls may overlap in threads.

What comes back is verified: a manifest against the digest that was asked for and the one that the registry names, a
blob against its own. Nothing that does not fit is kept.
"""

from __future__ import annotations

import difflib
import json
import pathlib
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence

from devenv.errors import DigestMismatch, RegistryError, RegistryMissing
from devenv.oci import digests
from devenv.oci.address import base_url, origin
from devenv.oci.answers import Attempt, refusal, unusable
from devenv.oci.download import BLOB_LIMIT, Seen, length_of, write
from devenv.oci.failures import AskLater
from devenv.oci.manifest import ACCEPTED, OCI_MANIFEST, Manifest
from devenv.oci.tokens import Authenticator
from devenv.oci.transport import Answer, Transport

_PAGES = 50
_NEXT = re.compile(r"<([^>]*)>\s*;[^,]*\brel\s*=\s*\"?next\"?", re.IGNORECASE)


class Registry:
    """One registry as one client sees it. Every method raises RegistryError."""

    def __init__(self, name: str, transport: Transport, authenticator: Authenticator) -> None:
        self.name = name
        self._base = base_url(name)
        self._transport = transport
        self._authenticator = authenticator

    def manifest(self, repository: str, reference: str) -> Manifest:
        """By tag or digest. RegistryMissing names the nearest tag there is."""
        what = f"{self.name}/{repository}{'@' if ':' in reference else ':'}{reference}"
        url = f"{self._base}/v2/{repository}/manifests/{urllib.parse.quote(reference, safe=':')}"
        answer = self._ask("GET", url, _pull(repository), headers={"Accept": ACCEPTED})
        if answer.status == 404:
            raise self._missing(answer, repository, reference, what)
        self._expect(answer, what)
        return self._verified(answer, reference, what)

    def _verified(self, answer: Answer, reference: str, what: str) -> Manifest:
        said = answer.headers.get("Docker-Content-Digest", "")
        for digest in (reference, said):
            if digests.is_digest(digest):
                digests.verify(answer.body, digest, what)
        kind = answer.headers.get("Content-Type", OCI_MANIFEST).partition(";")[0].strip()
        asked_for = reference if digests.is_digest(reference) else digests.sha256(answer.body)
        found = Manifest(answer.body, asked_for, kind)
        try:
            _ = found.value
        except ValueError:
            raise unusable(self._attempt(what), "the manifest is not a JSON object") from None
        return found

    def _missing(self, answer: Answer, repository: str, reference: str, what: str) -> RegistryMissing:
        try:
            known = self.tags(repository)
        except RegistryError:
            known = []
        if not known or digests.is_digest(reference):
            hint = "check its name; a private one may look missing: docker login " + self.name
        else:
            near = difflib.get_close_matches(reference, known, n=1, cutoff=0.5)
            first = f"did you mean {near[0]}? " if near else ""
            shown = ", ".join(known[-8:])
            hint = f"{first}its tags: {'…, ' if len(known) > 8 else ''}{shown}"
        said = refusal(answer.status, answer.body, answer.headers, self._attempt(what))
        return RegistryMissing(said.message, hint, details={**said.details, "tags": known})

    def tags(self, repository: str) -> list[str]:
        """All tags, in the registry's order. RegistryMissing when there is no such repository."""
        what = f"{self.name}/{repository}"
        url = f"{self._base}/v2/{repository}/tags/list"
        found: list[str] = []
        for _ in range(_PAGES):
            answer = self._ask("GET", url, _pull(repository), headers={"Accept": "application/json"})
            self._expect(answer, f"tags of {what}")
            try:
                listed = json.loads(answer.body)["tags"] or []
                found += [tag for tag in listed if isinstance(tag, str)]
            except (ValueError, KeyError, TypeError):
                raise unusable(self._attempt(f"tags of {what}"), "no list of tags in it") from None
            following = _NEXT.search(answer.headers.get("Link", ""))
            if following is None:
                break
            following_url = urllib.parse.urljoin(answer.url, following[1])
            if origin(following_url) != origin(self._base):
                break  # a list goes on where it began
            url = following_url
        return list(dict.fromkeys(found))

    def blob(
        self, repository: str, digest: str, target: pathlib.Path, *, size: int | None = None, seen: Seen | None = None
    ) -> int:
        """Streams a blob into `target` (a new file) and returns its length in bytes; no file is left after an error.

        `size` is what the manifest says: more is not taken.
        """
        what = f"{self.name}/{repository}@{digest}"
        url = f"{self._base}/v2/{repository}/blobs/{digest}"
        headers = self._authenticator.header(_pull(repository))

        def once() -> int:
            nonlocal headers
            for _ in range(2):
                with self._transport.stream(url, headers=headers) as (answer, chunks):
                    if answer.status == 401 and (
                        better := self._authenticator.answer(answer, _pull(repository), headers)
                    ):
                        headers = better
                        continue
                    self._now_or_later(answer, what)
                    return self._keep(answer, chunks, target, digest, what, size, seen)
            self._authenticator.refused(headers)
            raise refusal(401, b"", {}, self._attempt(what))

        return self._transport.patiently(once)

    def _keep(
        self,
        answer: Answer,
        chunks: Iterator[bytes],
        target: pathlib.Path,
        digest: str,
        what: str,
        size: int | None,
        seen: Seen | None,
    ) -> int:
        running = digests.start(digest)
        total = length_of(answer) if size is None else size
        limit = BLOB_LIMIT if size is None else size
        written = write(target, chunks, what, running, total=total, limit=limit, seen=seen)
        try:
            digests.compare(running, digest, what)
        except DigestMismatch:
            target.unlink(missing_ok=True)
            raise
        return written

    def has_blob(self, repository: str, digest: str) -> bool:
        url = f"{self._base}/v2/{repository}/blobs/{digest}"
        answer = self._ask("HEAD", url, _push(repository))
        if answer.status == 404:
            return False
        self._expect(answer, f"{self.name}/{repository}@{digest}")
        return True

    def push_blob(self, repository: str, content: bytes, digest: str) -> bool:
        """Uploads in one piece; False when the registry has it already."""
        if self.has_blob(repository, digest):
            return False
        what = f"{self.name}/{repository}@{digest}"
        url = f"{self._base}/v2/{repository}/blobs/uploads/"
        answer = self._ask("POST", url, _push(repository), body=b"", again=True)
        self._expect(answer, what, 202)
        location = answer.headers.get("Location", "")
        try:
            target = urllib.parse.urljoin(url, location)
            elsewhere = origin(target) != origin(self._base)
        except ValueError:
            location, elsewhere = "", False
        if not location:
            raise unusable(self._attempt(what), "no address for the upload")
        parts = urllib.parse.urlsplit(target)
        query = "&".join(part for part in (parts.query, f"digest={urllib.parse.quote(digest)}") if part)
        headers = {"Content-Type": "application/octet-stream"}
        target = parts._replace(query=query).geturl()
        if elsewhere:  # signed by the registry; our credentials are not for that host
            answer = self._transport.ask("PUT", target, headers=headers, body=content)
        else:
            answer = self._ask("PUT", target, _push(repository), headers=headers, body=content)
        self._expect(answer, what, 201)
        return True

    def push_manifest(self, repository: str, manifest: Manifest, tags: Sequence[str] = ()) -> str:
        """Stores it under every tag (under its digest alone without one) and returns the digest."""
        for reference in tags or (manifest.digest,):
            what = f"{self.name}/{repository}:{reference}"
            url = f"{self._base}/v2/{repository}/manifests/{reference}"
            headers = {"Content-Type": manifest.media_type}
            answer = self._ask("PUT", url, _push(repository), headers=headers, body=manifest.raw, again=True)
            self._expect(answer, what, 201)
            said = answer.headers.get("Docker-Content-Digest", "")
            if digests.is_digest(said) and said != manifest.digest:
                raise digests.mismatch(what, manifest.digest, said)
        return manifest.digest

    def _ask(
        self,
        method: str,
        url: str,
        scope: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        again: bool | None = None,
    ) -> Answer:
        known = self._authenticator.header(scope)
        answer = self._transport.ask(method, url, headers={**(headers or {}), **known}, body=body, again=again)
        if answer.status == 401 and (better := self._authenticator.answer(answer, scope, known)):
            answer = self._transport.ask(method, url, headers={**(headers or {}), **better}, body=body, again=again)
            if answer.status == 401:
                self._authenticator.refused(better)
        return answer

    def _attempt(self, what: str) -> Attempt:
        return Attempt(self.name, what, self._authenticator.tried)

    def _expect(self, answer: Answer, what: str, status: int | None = None) -> None:
        if (answer.ok and status is None) or answer.status == status:
            return
        if answer.ok:
            raise unusable(self._attempt(what), f"status {answer.status} instead of {status}")
        raise refusal(answer.status, answer.body, answer.headers, self._attempt(what))

    def _now_or_later(self, answer: Answer, what: str) -> None:
        if answer.status == 429 or answer.status >= 500:
            shown = refusal(answer.status, answer.body, answer.headers, self._attempt(what))
            raise AskLater(shown, answer.headers.get("Retry-After"))
        self._expect(answer, what)


def _pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def _push(repository: str) -> str:
    return f"repository:{repository}:pull,push"
