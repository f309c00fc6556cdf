"""Who we are to one registry: its challenge answered with a password or a token, tokens kept per scope.

The challenge counts only when it comes from the registry itself, never from a host that a redirect led to, and what is
sent to a token's issuer goes there over https (or inside this machine) and follows no redirect.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from devenv.errors import RegistryUntrusted
from devenv.oci.address import may_carry_secrets, origin
from devenv.oci.answers import Attempt, denied, one_line, refusal, unusable
from devenv.oci.challenge import Challenge, choose
from devenv.oci.credentials import Credential
from devenv.oci.transport import Answer, Transport

_CLIENT = "devenv"
_USUAL_LIFE = 60  # seconds, where the issuer says nothing (distribution, *Token Authentication*)
_MARGIN = 10  # seconds before its end in which a token is no longer used


@dataclasses.dataclass(frozen=True, slots=True)
class _Token:
    value: str = dataclasses.field(repr=False)
    until: float  # by the monotonic clock


class Authenticator:
    """For one registry. Calls may overlap in threads; one of them asks for a token that several need."""

    def __init__(
        self,
        registry: str,
        base: str,
        transport: Transport,
        lookup: Callable[[], Credential | None],
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._base = origin(base)
        self._transport = transport
        self._lookup = lookup
        self._note = note
        self._clock = clock
        self._lock = threading.Lock()  # over what is below; while a token is fetched, its own lock is held instead
        self._locks: dict[str, threading.Lock] = {}
        self._looked = False
        self._credential: Credential | None = None
        self._rejected = False
        self._challenge: Challenge | None = None
        self._tokens: dict[str, _Token] = {}

    @property
    def tried(self) -> list[str]:
        """The kinds of credentials that have been used, for messages."""
        if self._credential is None:
            return []
        return [self._credential.kind + (" (rejected)" if self._rejected else "")]

    def header(self, scope: str) -> dict[str, str]:
        """What to send with a request, as far as it is known before the registry has asked."""
        return {} if self._challenge is None else self._answer(self._challenge, scope)

    def answer(self, answer: Answer, scope: str, sent: dict[str, str]) -> dict[str, str] | None:
        """What to send after this 401; None when there is nothing better than what was `sent`.

        Raises RegistryError when a token cannot be had.
        """
        if origin(answer.url) != self._base:
            return None
        challenge = choose(answer.headers.get("WWW-Authenticate", ""))
        if challenge is None:
            return None
        with self._lock:
            self._challenge = challenge
            kept = self._tokens.get(self._scope(challenge, scope))
            if kept is not None and sent.get("Authorization") == f"Bearer {kept.value}":
                del self._tokens[self._scope(challenge, scope)]
        header = self._answer(challenge, scope)
        if header == sent:
            self.refused(sent)
            return None
        return header or None

    def refused(self, sent: dict[str, str]) -> None:
        """This was sent, and the answer is still 401. A password is wrong then; a token may only be too narrow."""
        if sent.get("Authorization", "").startswith("Basic "):
            self._rejected = True

    def _answer(self, challenge: Challenge, scope: str) -> dict[str, str]:
        if challenge.scheme == "basic":
            credential = self._have()
            if credential is None or credential.identity or not may_carry_secrets(self._base):
                return {}
            return {"Authorization": _basic(credential)}
        key = self._scope(challenge, scope)
        with self._lock:
            fetching = self._locks.setdefault(key, threading.Lock())
        with fetching:
            token = self._tokens.get(key)
            if token is None or token.until <= self._clock():
                token = self._tokens[key] = self._fetch(challenge, key)
        return {"Authorization": f"Bearer {token.value}"}

    def _have(self) -> Credential | None:
        with self._lock:
            if not self._looked:
                self._credential = self._lookup()
                self._looked = True
            return self._credential

    @staticmethod
    def _scope(challenge: Challenge, scope: str) -> str:
        """Ours, which also says what comes next (push); the registry's own where we know none."""
        return scope or challenge.parameters.get("scope", "")

    def _fetch(self, challenge: Challenge, scope: str) -> _Token:
        realm = self._realm(challenge.parameters["realm"])
        credential = None if self._rejected else self._have()
        answer = self._ask(realm, challenge, scope, credential)
        if answer.status in (401, 403) and credential is not None:
            self._rejected = True
            self._note(f"{self._registry} rejects the credentials from {credential.kind}: asked anonymously instead")
            answer = self._ask(realm, challenge, scope, None)
        what = f"a token of {self._registry}" + (f" for {scope}" if scope else "")
        attempt = Attempt(self._registry, what, self.tried)
        if answer.status in (401, 403):
            raise denied(attempt, "refused", {"status": answer.status})
        if not answer.ok:
            raise refusal(answer.status, answer.body, answer.headers, attempt)
        return self._read(answer, attempt)

    def _realm(self, written: str) -> str:
        """Where tokens are issued, checked to be a place where credentials may be sent."""
        fine, realm = False, ""
        with contextlib.suppress(ValueError):
            realm = urllib.parse.urljoin(str(self._base), written)
            issuer = origin(realm)
            fine = issuer.scheme == "https" or (may_carry_secrets(issuer) and self._base.scheme == "http")
        if not fine:
            raise RegistryUntrusted(
                f"{self._registry} wants its credentials sent to {one_line(written)}",
                "they are sent over https only; this registry cannot be used as it is set up",
                details={"registry": self._registry},
            )
        return realm

    def _ask(self, realm: str, challenge: Challenge, scope: str, credential: Credential | None) -> Answer:
        named = {"service": challenge.parameters.get("service", ""), "scope": scope}
        named = {key: value for key, value in named.items() if value}
        if credential is not None and credential.identity:
            form = {**named, "client_id": _CLIENT, "grant_type": "refresh_token", "refresh_token": credential.secret}
            return self._transport.ask("POST", realm, form=form, again=True)
        address = urllib.parse.urlsplit(realm)
        query = urllib.parse.urlencode([*urllib.parse.parse_qsl(address.query), *named.items()])
        headers = {"Authorization": _basic(credential)} if credential is not None else {}
        return self._transport.ask("GET", address._replace(query=query).geturl(), headers=headers, redirects=False)

    def _read(self, answer: Answer, attempt: Attempt) -> _Token:
        try:
            found: Any = json.loads(answer.body)
            value = found.get("token") or found.get("access_token")
            life = found.get("expires_in") or _USUAL_LIFE
            if not isinstance(value, str) or not isinstance(life, int | float):
                raise TypeError
            value.encode("ascii")
        except (ValueError, AttributeError, TypeError):
            raise unusable(attempt, "no token in it") from None
        return _Token(value, self._clock() + max(life - _MARGIN, 0))


def _basic(credential: Credential) -> str:
    pair = f"{credential.username}:{credential.secret}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"
