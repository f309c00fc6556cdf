"""HTTP as a registry client needs it, on requests.

Redirects are followed here, hop by hop, because each hop decides anew about proxies and about credentials: those go
to the host they were meant for and to no other. Nothing is retried that the server may have carried out already.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.cookiejar
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import requests
import urllib3
import urllib3.exceptions as errors

from devenv.errors import RegistryFailed, RegistryUntrusted
from devenv.oci import names
from devenv.oci.address import is_loopback, may_carry_secrets, origin
from devenv.oci.connections import Adapter
from devenv.oci.failures import AskLater, connection_error, shown, timeout
from devenv.oci.failures import host as host_of
from devenv.oci.interrupt import Interrupt, Interrupted
from devenv.oci.network import Limits, Network
from devenv.version import VERSION

SMALL = 4 * 1024 * 1024  # bytes: what registries themselves accept as a manifest
CHUNK = 64 * 1024
_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: bytes
    url: str  # after redirects

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Transport:
    """One client's connections. Calls may overlap in threads; `interrupt` ends all of them."""

    def __init__(self, network: Network, limits: Limits, interrupt: Interrupt) -> None:
        self.limits = limits
        self.interrupt = interrupt
        self._network = network
        self._known: set[tuple[str, int]] = set()
        self._session = _Session()
        self._session.trust_env = False  # the process's own proxies, netrc and certificates are not the client's
        self._session.headers.update({"User-Agent": f"devenv/{VERSION}", "Accept-Encoding": "identity"})
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("http://", Adapter(interrupt, None))
        self._lock = threading.Lock()
        self._has_tls = False

    def close(self) -> None:
        self._session.close()

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        again: bool | None = None,
        redirects: bool = True,
        limit: int = SMALL,
    ) -> Answer:
        """The whole answer, whatever its status. Raises RegistryError when there is none.

        `again`: whether the request may be repeated (default: GET and HEAD may). `form` becomes the body. Only GET
        and HEAD follow redirects, and they only with `redirects`.
        """
        repeatable = method in ("GET", "HEAD") if again is None else again
        patience = Patience(self.limits, self.interrupt)
        if form is not None:
            body = urllib.parse.urlencode(form).encode()
            headers = {**(headers or {}), "Content-Type": "application/x-www-form-urlencoded"}
        while True:
            try:
                with self._sent(method, url, headers or {}, body, redirects) as response:
                    content = b"".join(self._small(response, limit))
                    answer = Answer(response.status_code, response.headers, content, str(response.url))
            except AskLater as broken:
                if repeatable and patience.again():
                    continue
                raise broken.shown from broken
            if answer.status in _TRY_AGAIN and repeatable and patience.again(answer.headers.get("Retry-After")):
                continue
            return answer

    @contextlib.contextmanager
    def stream(self, url: str, *, headers: Mapping[str, str]) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """A GET whose body comes in chunks, undecoded; an answer that is not 2xx has it in `body` instead.

        Raises RegistryError, and `AskLater` when the connection breaks: see `patiently`.
        """
        with self._sent("GET", url, headers, None) as response:
            if 200 <= response.status_code < 300:
                yield Answer(response.status_code, response.headers, b"", str(response.url)), self._chunks(response)
            else:
                content = b"".join(self._small(response, SMALL))
                yield Answer(response.status_code, response.headers, content, str(response.url)), iter(())

    def patiently(self, once: Callable[[], T]) -> T:
        """Calls `once`, and again after each `AskLater` as long as the limits allow; then raises what is shown."""
        patience = Patience(self.limits, self.interrupt)
        while True:
            try:
                return once()
            except AskLater as later:
                if not patience.again(later.retry_after):
                    raise later.shown from later

    @contextlib.contextmanager
    def _sent(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, redirects: bool = True
    ) -> Iterator[requests.Response]:
        current, carried = url, dict(headers)
        for _ in range(_REDIRECTS + 1):
            response = self._send(method, current, carried, body)
            try:
                target = _redirect(response, method) if redirects else None
                if target is None:
                    yield response
                    return
                if origin(target) != origin(current):
                    carried = {k: v for k, v in carried.items() if k.lower() != "authorization"}
                current = target
            finally:
                response.close()
        raise RegistryFailed(f"{shown(url)}: redirected too often", details={"registry": host_of(url)})

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> requests.Response:
        self.interrupt.check()
        if "Authorization" in headers and not may_carry_secrets(origin(url)):
            raise RegistryUntrusted(
                f"{shown(url)}: no credentials are sent over plain HTTP", details={"registry": host_of(url)}
            )
        proxy = self._network.proxy_for(url)
        if url.startswith("https:"):
            self._prepare_tls()
        self._resolve(proxy or url, url)
        try:
            return self._session.request(
                method,
                url,
                headers=dict(headers),
                data=body,
                stream=True,
                allow_redirects=False,
                timeout=(self.limits.connect, self.limits.read),
                proxies={"http": proxy, "https": proxy} if proxy else {},
            )
        except (requests.RequestException, errors.HTTPError, OSError) as error:
            raise self._mapped(error, url, proxy) from error

    def _prepare_tls(self) -> None:
        """When it is needed: reading the certificates takes 30 ms that loopback does without."""
        with self._lock:
            if not self._has_tls:
                self._session.mount("https://", Adapter(self.interrupt, self._network.tls()))
                self._has_tls = True

    def _resolve(self, through: str, url: str) -> None:
        where = urllib.parse.urlsplit(through)
        host, port = where.hostname or "", where.port or 443
        if (host, port) in self._known:
            return
        try:
            names.resolve(host, port, self.limits.connect)
        except OSError as error:
            raise self._mapped(error, url, through if through is not url else None) from error
        self._known.add((host, port))

    def _small(self, response: requests.Response, limit: int) -> Iterator[bytes]:
        deadline = time.monotonic() + self.limits.answer
        seen = 0
        for chunk in self._chunks(response, decode=True):
            seen += len(chunk)
            if seen > limit:
                raise RegistryFailed(
                    f"{shown(str(response.url))}: the answer is larger than {limit} bytes",
                    details={"registry": host_of(str(response.url))},
                )
            if time.monotonic() > deadline:
                raise timeout(str(response.url), f"no whole answer within {self.limits.answer:g} s")
            yield chunk

    def _chunks(self, response: requests.Response, *, decode: bool = False) -> Iterator[bytes]:
        url = str(response.url)
        try:
            # What has come, not CHUNK bytes: a server that trickles must not hold up the checks between two chunks.
            while chunk := response.raw.read1(CHUNK, decode_content=decode):
                self.interrupt.check()
                yield chunk
            self.interrupt.check()  # a socket that was shut down looks like an end
        except (errors.HTTPError, OSError) as error:
            raise self._mapped(error, url, None) from error

    def _mapped(self, error: BaseException, url: str, proxy: str | None) -> Exception:
        if self.interrupt.is_set():
            return Interrupted()
        return connection_error(error, url, proxy, self.limits)


class _Session(requests.Session):
    def get_redirect_target(self, resp: object) -> None:
        """None: each hop is decided in `Transport`, and requests would prepare the next one even unasked."""


class Patience:
    """How often, and for how long in all, one request is tried again."""

    def __init__(self, limits: Limits, interrupt: Interrupt) -> None:
        self._limits = limits
        self._interrupt = interrupt
        self._left = limits.retries
        self._budget = limits.patience

    def again(self, retry_after: str | None = None) -> bool:
        """Pauses and says yes; says no at once when the number of attempts or the time is used up."""
        pause = self._limits.pause * 2 ** (self._limits.retries - self._left)
        if retry_after is not None:
            with contextlib.suppress(errors.InvalidHeader):
                pause = max(0.0, urllib3.Retry().parse_retry_after(retry_after))
        if self._left <= 0 or pause > self._budget:
            return False
        self._left -= 1
        self._budget -= pause
        self._interrupt.pause(pause)
        return True


def _redirect(response: requests.Response, method: str) -> str | None:
    location = response.headers.get("Location")
    if response.status_code not in _MOVED or not location or method not in ("GET", "HEAD"):
        return None
    here = str(response.url)
    try:
        target = urllib.parse.urljoin(here, location)
        where = origin(target)
    except ValueError:
        raise RegistryFailed(
            f"{shown(here)}: redirected to something that is no web address", details={"registry": host_of(here)}
        ) from None
    if where.scheme != "https" and not (is_loopback(where.host) and origin(here).scheme == "http"):
        raise RegistryUntrusted(
            f"{shown(here)}: redirected to plain HTTP at {where.host}",
            "this registry cannot be used as it is set up",
            details={"registry": host_of(here)},
        )
    return target
